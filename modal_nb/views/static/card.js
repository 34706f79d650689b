// One pool: what it is, why it does what it does, how it is set, and what is in it.
import { askAbandoned, askAnswered, askReported, askWaited, asked } from "./asks.js";
import { abandoned, answered, newEdits, reported, waited } from "./edits.js";
import { count, cut } from "./words.js";
import { facts } from "./facts.js";
import { arrange, element, glyph, newId, setAttribute, setGlyph, setText, showText } from "./elements.js";
import { newMemory, remember, span } from "./history.js";
import { ContainerList } from "./containers.js";
import { LoadChart } from "./charts.js";
import { SettingsEditor } from "./controls.js";
import { living } from "./state.js";

const PILLS = { running: "running", retired: "replaced", gone: "ended" };
const NOTES = {
  retired: "A newer version of the class took over; this pool finishes what it has.",
  gone: "This pool has ended. What is below is how it was.",
};
const OPTION = /((?:min|max|buffer)_containers(?:=\d+)?|scaledown_window(?:=\d+)?)/;

class Figure {
  constructor(name, label) {
    this.value = element("dd", { class: "mnb-number" });
    this.element = element("div", { class: `mnb-figure mnb-of-${name}` }, this.value, element("dt", {}, label));
  }

  update(value) {
    setText(this.value, count(value));
    setAttribute(this.element, "data-zero", value === 0);
  }
}

/** A number and its unit: no line ends between them. */
const MEASURE = /(\d) (m?s)\b/g;

/** Quiet sentences on how inputs run. No live region: one of them counts down. */
class Facts {
  constructor() {
    this.element = element("div", { class: "mnb-facts", role: "list", "aria-label": "How inputs run" });
  }

  update(facts) {
    const lines = facts.map((_, index) => this.element.children[index] ?? element("div", { class: "mnb-fact", role: "listitem" }));
    lines.forEach((line, index) => {
      setAttribute(line, "data-kind", facts[index].kind);
      showText(line, facts[index].text.replace(MEASURE, "$1\u00a0$2"), 200);
    });
    arrange(this.element, lines);
    setAttribute(this.element, "hidden", !lines.length);
  }
}

export class PoolCard {
  constructor(pool, room) {
    this.room = room;
    this.number = pool.pool;
    this.memory = newMemory();
    this.fields = newEdits(pool.autoscaler);
    this.asks = new Map();
    // beside other apps, what does nothing takes one line
    const quiet = room.crowded() && !living(pool).length && !pool.queued;
    this.open = !quiet && (pool.state === "running" || room.cards.size === 0);
    this.settings = new SettingsEditor(this.fields, {
      now: room.now, nextId: room.nextId, announce: room.announce,
      send: (name, values, id) => room.send(this.number, name, values, id),
    });
    this.list = new ContainerList({
      send: (name, values, key) => this.ask(name, values, key), announce: room.announce, refresh: () => this.paint(), clock: room.now,
    });
    this.chart = new LoadChart();
    this.furnish();
    this.take(pool);
  }

  furnish() {
    const id = newId("pool");
    this.service = element("bdi", { class: "mnb-service" });
    this.parameters = element("bdi", { class: "mnb-parameters" });
    this.app = element("bdi", { class: "mnb-app" });
    this.pillGlyph = glyph();
    this.pillWord = element("span");
    this.pill = element("span", { class: "mnb-pill" }, this.pillGlyph, this.pillWord);
    this.fold = element("button", { type: "button", class: "mnb-fold", "aria-controls": `${id}-body` }, glyphFold());
    this.fold.addEventListener("click", () => this.toggle());
    const title = element("div", { role: "heading", "aria-level": 3, class: "mnb-title", id }, this.service, this.parameters);
    this.why = element("p", { class: "mnb-why", dir: "auto" });
    this.note = element("p", { class: "mnb-note" });
    this.facts = new Facts();
    this.figures = [new Figure("queued", "queued"), new Figure("running", "running"), new Figure("containers", "containers")];
    const figures = element("dl", { class: "mnb-figures" }, ...this.figures.map((figure) => figure.element));
    const words = element("div", { class: "mnb-words" }, element("div", { class: "mnb-names" }, this.fold, title, this.pill, this.app), this.why, this.note, this.facts.element);
    const activity = element("div", { class: "mnb-activity" }, heading("Inputs and containers"), this.chart.element);
    const settings = element("div", { class: "mnb-steer" }, heading("Autoscaler"), this.settings.element);
    this.body = element("div", { class: "mnb-body", id: `${id}-body` }, settings, activity, this.list.element);
    this.element = element("section", { class: "mnb-pool", "aria-labelledby": id }, element("div", { class: "mnb-head" }, words, figures), this.body);
    this.settings.element.setAttribute("aria-label", "Autoscaler settings");
  }

  toggle() {
    this.open = !this.open;
    this.paint();
    this.tick();
  }

  /** A command of a button. The same one is not sent twice while it is pending. */
  ask(name, values, key) {
    const id = this.room.nextId();
    asked(this.asks, key, id, this.room.now(), this.pool.containers.map((one) => one.id));
    this.room.send(this.number, name, values, id);
    this.paint();
  }

  /** A report came (whole or by a diff). Cheap: painting is asked for, not done. */
  take(pool) {
    this.pool = pool;
    remember(this.memory, pool);
    reported(this.fields, pool.autoscaler);
    askReported(this.asks, pool);
  }

  answer(id, ok, error) {
    const now = this.room.now();
    const sentence = cut(error, 300).text;
    answered(this.fields, id, ok, sentence, now);
    askAnswered(this.asks, id, ok, sentence, now);
  }

  abandon(why) {
    abandoned(this.fields, why);
    askAbandoned(this.asks, why, this.room.now());
  }

  paint() {
    const { pool } = this;
    const frozen = this.room.frozen();
    showText(this.service, pool.service || "(no name)", 60);
    showText(this.parameters, pool.parameters && `(${pool.parameters})`, 80);
    showText(this.app, this.origin(), 60);
    setAttribute(this.element, "data-state", pool.state);
    setGlyph(this.pillGlyph, pool.state);
    setText(this.pillWord, pool.state === "running" && frozen ? "was running" : PILLS[pool.state]);
    this.showWhy(pool.why);
    setText(this.note, NOTES[pool.state] ?? "");
    this.facts.update(facts(pool, this.room.clock()));
    [pool.queued, pool.running, living(pool).length].forEach((value, index) => this.figures[index].update(value));
    setAttribute(this.fold, "aria-expanded", String(this.open));
    setAttribute(this.fold, "aria-label", `${this.open ? "Fold" : "Unfold"} ${cut(pool.service, 60).text}`);
    setAttribute(this.body, "hidden", !this.open);
    if (!this.open) return;
    this.settings.update(pool, frozen || pool.state !== "running");
    this.list.update(pool, {
      trails: this.memory.trails, asks: this.asks,
      frozen: frozen || pool.state === "gone", open: pool.state === "running",
    });
    this.list.tickFresh(this.room.clock(), this.span ?? 60);
  }

  /** The app, or below its heading the version that this pool is of, where that is another one. */
  origin() {
    const { app, version } = this.pool;
    const listed = this.room.app(app.id);
    if (!listed) return app.name && `app ${app.name}`;
    return version && version !== listed.version ? `version ${version}` : "";
  }

  /** The options of the sentence in the type of code; it stays text. */
  showWhy(sentence) {
    if (sentence === this.said) return;
    this.said = sentence;
    const pieces = cut(sentence, 300).text.split(OPTION);
    this.why.replaceChildren(...pieces.map((piece, index) => (index % 2 ? element("code", {}, piece) : piece)));
    this.room.announce(sentence, true);
  }

  /** Twice a second: pictures, ages, what counts down, and wishes that waited too long. */
  tick() {
    const now = this.room.now();
    waited(this.fields, now);
    askWaited(this.asks, now);
    const clock = this.room.clock();
    this.facts.update(facts(this.pool, clock));
    if (!this.open) return;
    this.span = span(this.memory, clock);
    this.chart.update(this.memory.history, clock, this.span, this.pool.autoscaler.max_containers);
    this.list.tick(clock, this.span);
    this.settings.paint();
    this.list.showStart(this.pool.state === "running");
  }

  close() {
    this.settings.close();
    this.element.remove();
  }
}

function heading(words) {
  return element("div", { role: "heading", "aria-level": 4, class: "mnb-heading" }, words);
}

function glyphFold() {
  return element("span", { class: "mnb-chevron", "aria-hidden": "true" });
}
