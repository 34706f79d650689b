// The panel: takes reports and answers from Python, shows them, sends commands. The only file that knows the model.
import { applyDiff, readReport } from "./state.js";
import { element, setAttribute, setText, showText } from "./elements.js";
import { PoolCard } from "./card.js";
import { Groups } from "./groups.js";
import { age, cut, gist } from "./words.js";

/** Milliseconds: two redraws of pictures a second; silence after which a panel is not called live. */
const TICK_MS = 500;
const SILENCE_MS = 2500;
/** Milliseconds between two sentences for a screen reader. */
const CALM_MS = 4000;

const BANNERS = {
  asleep: "Not live: no word from the kernel yet. It is busy, or it is gone: then run the cell again. This is how it was.",
  lost: "The supervisor does not answer. This is how it was; the panel goes on by itself when it is back.",
  ended: "The app has ended. This is how it was.",
};
const EMPTY = "No pool yet. One opens with the first call of a method, and shows here by itself; looking starts nothing.";

class Panel {
  constructor(model, host) {
    this.model = model;
    this.host = host;
    this.cards = new Map();
    this.dirty = new Set();
    this.report = readReport(model.get("report"));
    this.number = Math.floor(Math.random() * 2 ** 40);
    this.live = false;
    this.asleep = false;
    this.seen = true;
    this.said = { text: "", at: -Infinity };
    this.furnish();
    this.listeners = [
      ["change:report", () => this.whole(model.get("report"))],
      ["msg:custom", (message) => this.message(message)],
      ["comm_live_update", () => this.hello()],
    ];
    this.room = {
      cards: this.cards, now: () => performance.now() / 1000, clock: () => this.clock(), nextId: () => (this.number += 1),
      send: (...command) => this.command(...command), announce: (text, calm) => this.announce(text, calm),
      app: (id) => this.report.apps.find((app) => app.id === id), crowded: () => this.report.apps.length > 1,
      frozen: () => this.asleep || this.report.connection !== "connected",
    };
  }

  furnish() {
    this.banner = element("p", { class: "mnb-banner", role: "status", hidden: true });
    this.blank = element("div", { class: "mnb-blank", hidden: true });
    this.groups = new Groups();
    this.voice = element("div", { class: "mnb-voice", "aria-live": "polite", "aria-atomic": "true" });
    // the notebook's own key bindings (such as D D: delete the cell) must not act while the focus is in here
    const attributes = { class: "mnb-panel", "data-lm-suppress-shortcuts": "true", role: "region", "aria-label": "Containers" };
    this.element = element("div", attributes, this.banner, this.blank, this.groups.element, this.voice);
    this.host.append(this.element);
  }

  start() {
    for (const [name, listener] of this.listeners) this.model.on(name, listener);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    if (typeof IntersectionObserver !== "undefined") {
      this.watch = new IntersectionObserver((entries) => this.look(entries[entries.length - 1].isIntersecting));
      this.watch.observe(this.element);
    }
    this.setClock();
    this.takeAll();
    this.paint();
    this.hello();
  }

  close() {
    for (const [name, listener] of this.listeners) this.model.off(name, listener);
    clearInterval(this.timer);
    clearTimeout(this.silence);
    cancelAnimationFrame(this.frame);
    this.watch?.disconnect();
    for (const card of this.cards.values()) card.close();
    this.element.remove();
  }

  /** Ask for the whole state; who does not answer is not live. */
  hello() {
    this.live = false;
    this.asleep = false;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      this.asleep = !this.live;
      this.changed();
    }, SILENCE_MS);
    this.changed();
    this.post({ type: "hello" });
  }

  /** True if it could be handed over; a closed comm throws here, or rejects later. */
  post(content) {
    try {
      Promise.resolve(this.model.send(content)).catch(() => {});
      return true;
    } catch {
      return false;
    }
  }

  command(pool, name, values, id) {
    if (this.post({ type: "command", id, pool, name, arguments: values })) return;
    this.cards.get(pool)?.answer(id, false, "there is no kernel behind this panel; run the cell again");
  }

  // -- what comes

  message(message) {
    this.wake();
    if (message?.type === "diff") this.diff(message.diff);
    else if (message?.type === "report") this.whole(message.report);
    else if (message?.type === "answer") this.answer(message);
  }

  answer({ id, ok, error }) {
    for (const [pool, card] of this.cards) {
      card.answer(id, ok === true, error);
      this.dirty.add(pool);
    }
    if (ok !== true) this.announce(cut(error, 300).text);
    this.changed();
  }

  diff(raw) {
    const pool = applyDiff(this.report, raw);
    if (pool === null) return this.ask();
    this.setClock();
    this.take(pool);
    return this.changed(pool);
  }

  /** A pool that is not known here: ask for everything, but not on and on. */
  ask() {
    if (performance.now() - (this.asked ?? -Infinity) < 2000) return;
    this.asked = performance.now();
    this.post({ type: "hello" });
  }

  whole(raw) {
    const before = this.report.connection;
    this.report = readReport(raw);
    this.wake();
    this.setClock();
    this.takeAll();
    if (before === "connected" && this.report.connection !== "connected") this.abandon();
    this.changed();
  }

  wake() {
    this.live = true;
    this.asleep = false;
  }

  abandon() {
    for (const card of this.cards.values()) card.abandon("the supervisor went away before this was confirmed");
  }

  takeAll() {
    for (const [pool, card] of this.cards) {
      if (this.report.pools.has(pool)) continue;
      card.close();
      this.cards.delete(pool);
    }
    for (const pool of this.report.pools.keys()) this.take(pool);
    this.moved = true;
  }

  take(number) {
    const pool = this.report.pools.get(number);
    const card = this.cards.get(number);
    if (card) card.take(pool);
    else this.cards.set(number, new PoolCard(pool, this.room));
    this.moved ||= !card;
    this.dirty.add(number);
  }

  // -- time

  setClock() {
    const nows = [...this.report.pools.values()].map((pool) => pool.now);
    const now = Math.max(0, ...nows);
    if (this.base === undefined || now !== this.base.now) this.base = { now, at: performance.now() };
  }

  /** The supervisor's seconds, as far as they are known: they stand still while nothing is heard. */
  clock() {
    const going = this.live && this.report.connection === "connected";
    return this.base.now + (going ? (performance.now() - this.base.at) / 1000 : 0);
  }

  look(seen) {
    this.seen = seen;
    if (seen) this.changed();
  }

  tick() {
    if (!this.seen || document.hidden) return;
    for (const card of this.cards.values()) card.tick();
    this.changed(...[...this.cards].filter(([, card]) => card.asks.size).map(([pool]) => pool));
  }

  // -- painting: once per frame, only what changed

  changed(...pools) {
    for (const pool of pools) this.dirty.add(pool);
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.frame = undefined;
    if (!this.seen) return;
    try {
      this.paintFrame();
      this.paintPools();
    } catch (error) {
      this.showBlank("error", `This report could not be shown: ${cut(error?.message ?? error, 200).text}`);
    }
  }

  paintFrame() {
    const { connection, message } = this.report;
    const state = connection === "connected" && this.asleep ? "asleep" : connection;
    const frozen = this.room.frozen();
    if (frozen !== this.wasFrozen) for (const pool of this.cards.keys()) this.dirty.add(pool);
    this.wasFrozen = frozen;
    setAttribute(this.element, "data-connection", state);
    const words = BANNERS[state] ?? (connection === "connected" ? message : "");
    showText(this.banner, this.cards.size || BANNERS[state] ? [words, BANNERS[state] && message].filter(Boolean).join(" ") : "", 400);
    setAttribute(this.banner, "hidden", !this.banner.textContent);
    if (this.cards.size) setAttribute(this.blank, "hidden", true);
    else if (state === "connecting") this.showBlank("loading", message || "Asking the supervisor\u2026");
    else if (state === "connected" && (message || !this.report.apps.length)) this.showBlank("empty", message || EMPTY);
    else setAttribute(this.blank, "hidden", true);
  }

  showBlank(kind, words) {
    setAttribute(this.blank, "data-kind", kind);
    showText(this.blank, words, 400);
    setAttribute(this.blank, "hidden", false);
  }

  paintPools() {
    if (this.moved) this.groups.update(this.report.apps, [...this.cards.values()].map((card) => [card.pool.app.id, card.element]));
    this.moved = false;
    for (const pool of this.dirty) {
      const card = this.cards.get(pool);
      if (!card) continue;
      const fresh = card.span === undefined;
      card.paint();
      if (fresh) card.tick();
    }
    this.dirty.clear();
    setAttribute(this.element, "data-pools", this.cards.size > 1 ? "many" : "one");
  }

  /** For a screen reader. `calm`: of the sentences that tell the same with other numbers, one in a while. */
  announce(text, calm = false) {
    const now = performance.now();
    const same = gist(text) === gist(this.said.text);
    if (calm && (same || now - this.said.at < CALM_MS)) return;
    this.said = { text, at: now };
    setText(this.voice, cut(text, 300).text);
  }
}

/** Called by anywidget for every view; the returned function takes the view away. */
function render({ model, el }) {
  const panel = new Panel(model, el);
  panel.start();
  return () => panel.close();
}

export default { render };
