// The live list of containers: a row per container, changed in place, with its life as a lane and its buttons.
import { age, cores, count, cut, detail, endedBadly, killQuestion, LATE, memory, startWords, stateWords, tally } from "./words.js";
import { arrange, button, element, glyph, setAttribute, setGlyph, setOff, setText, showText } from "./elements.js";
import { askKey, isPending } from "./asks.js";
import { isLate } from "./edits.js";
import { Lane } from "./charts.js";

/** Rows shown before somebody asks for all. */
const LIVING_SHOWN = 12;
const DEAD_SHOWN = 3;
const COLUMNS = ["State", "Container", "Life", "Age", "Served", "Memory", "CPU", "Actions"];

function cell(name, label, ...children) {
  return element("div", { role: "cell", class: `mnb-cell mnb-${name}`, "data-label": label }, ...children);
}

class ContainerRow {
  constructor(id, list) {
    this.list = list;
    this.lane = new Lane();
    this.glyph = glyph();
    this.state = element("span", { class: "mnb-state-word" });
    this.id = element("bdi", { class: "mnb-id" });
    this.detail = element("bdi", { class: "mnb-detail" });
    this.cells = { age: cell("age", "age"), served: cell("served", "served"), memory: cell("memory", "memory"), cpu: cell("cpu", "CPU") };
    this.drain = button("Drain", { class: "mnb-act", "aria-label": `Drain ${cut(id, 40).text}`, title: "take no more inputs, finish, stop" }, () => list.ask("drain_container", id));
    this.kill = button("Kill", { class: "mnb-act mnb-danger", "aria-label": `Kill ${cut(id, 40).text}`, title: "end it now" }, () => this.question());
    this.actions = cell("actions", "", this.drain, this.kill);
    this.below = element("div", { role: "cell", class: "mnb-below", hidden: true });
    this.element = element("div", { role: "row", class: "mnb-row" },
      cell("state", "", this.glyph, this.state), cell("name", "", this.id, this.detail), cell("life", "", this.lane.element),
      ...Object.values(this.cells), this.actions, this.below);
    this.shown = null;
    this.confirm = null;
    showText(this.id, id, 40);
  }

  update(container, trail, list) {
    this.showAsk(container, list);
    this.lane.update(container, trail, list.origin);
    if (container === this.shown) return;
    this.shown = container;
    const dead = container.state === "dead";
    setAttribute(this.element, "data-state", container.state);
    setAttribute(this.element, "data-bad", endedBadly(container));
    setGlyph(this.glyph, container.state);
    setText(this.state, stateWords(container));
    showText(this.detail, detail(container, this.now ?? container.aside), 160);
    setAttribute(this.state, "title", startWords(container) || null);
    setText(this.cells.served, count(container.served));
    setText(this.cells.memory, dead ? "" : memory(container.memory));
    setText(this.cells.cpu, dead ? "" : cores(container.cpu));
    setAttribute(this.cells.memory, "data-none", container.memory === null);
    setAttribute(this.cells.cpu, "data-none", container.cpu === null);
    if (dead) this.withdraw();
    this.actions.classList.toggle("mnb-none", dead);
    if (this.confirm && !dead) setText(this.confirm.words, killQuestion(container));
  }

  /** The time goes on: age and lane. */
  tick(now, span) {
    this.ticked = true;
    const one = this.shown;
    this.now = now;
    if (one.aside !== null) showText(this.detail, detail(one, now), 160);
    const end = one.state === "dead" ? (one.ended ?? now) : now;
    setText(this.cells.age, age(end - one.born));
    this.lane.moveTo(now, span);
  }

  showAsk(container, { asks, frozen }) {
    const drain = asks.get(askKey("drain_container", container.id));
    const kill = asks.get(askKey("kill_container", container.id));
    setText(this.drain, isPending(drain) ? "Draining\u2026" : "Drain");
    setText(this.kill, isPending(kill) ? "Killing\u2026" : "Kill");
    setOff(this.drain, frozen || isPending(drain) || isPending(kill) || container.state === "draining");
    setOff(this.kill, frozen || isPending(kill) || this.confirm !== null);
    const words = kill?.error || drain?.error || "";
    if (this.confirm) return;
    setAttribute(this.below, "data-kind", "error");
    showText(this.below, words, 300);
    setAttribute(this.below, "hidden", !words);
  }

  /** Ask first: the focus goes to the harmless answer, Escape takes it. */
  question() {
    const words = element("span", { class: "mnb-question" }, killQuestion(this.shown));
    const keep = button("Keep", { class: "mnb-act" }, () => this.answer(false));
    const kill = button("Kill now", { class: "mnb-act mnb-danger mnb-solid" }, () => this.answer(true));
    const box = element("div", { role: "group", class: "mnb-confirm", "aria-label": "Confirm" }, words, keep, kill);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.answer(false);
    });
    this.confirm = { words };
    setAttribute(this.below, "data-kind", "confirm");
    setAttribute(this.below, "title", null);
    this.below.replaceChildren(box);
    setAttribute(this.below, "hidden", false);
    setOff(this.kill, true);
    this.list.announce(words.textContent);
    keep.focus();
  }

  answer(yes) {
    this.confirm = null;
    this.below.replaceChildren();
    setAttribute(this.below, "hidden", true);
    this.kill.focus();
    if (yes) this.list.ask("kill_container", this.shown.id);
    else this.list.refresh();
  }

  /** It is dead: nothing more can be asked. */
  withdraw() {
    this.confirm = null;
    this.below.replaceChildren();
    setAttribute(this.below, "hidden", true);
  }
}

/** All containers of a pool. `send(name, arguments, key)` sends a button's command. */
export class ContainerList {
  constructor({ clock, send, announce, refresh }) {
    Object.assign(this, { clock, send, announce, refresh, rows: new Map(), all: { living: false, dead: false }, origin: null });
    this.heading = element("div", { role: "heading", "aria-level": 4, class: "mnb-heading", tabindex: -1 }, "Containers");
    this.tally = element("span", { class: "mnb-tally" });
    this.start = button("Start one", { class: "mnb-act mnb-start" }, () => this.send("start_container", {}, askKey("start_container", "")));
    this.said = element("p", { class: "mnb-said", hidden: true });
    this.empty = element("p", { class: "mnb-empty" });
    this.living = this.group("living", "Living containers", true);
    this.dead = this.group("dead", "Containers that ended", false);
    this.ended = element("div", { class: "mnb-subheading" });
    const head = element("div", { class: "mnb-list-head" }, this.heading, this.tally, this.said, this.start);
    this.element = element("div", { class: "mnb-list" }, head, this.empty, this.living.table, this.living.more, this.ended, this.dead.table, this.dead.more);
  }

  group(name, label, headings) {
    const cells = COLUMNS.map((words) => element("div", { role: "columnheader", class: "mnb-column" }, words));
    const life = cells[2];
    this.axis ??= life;
    const head = element("div", { role: "row", class: "mnb-columns", "data-only": headings ? "all" : "reader" }, ...cells);
    const body = element("div", { role: "rowgroup", class: "mnb-rows" });
    const table = element("div", { role: "table", "aria-label": label, class: `mnb-table mnb-${name}-rows` }, head, body);
    const more = button("", { class: "mnb-more" }, () => this.toggle(name));
    return { table, body, more };
  }

  toggle(name) {
    this.all[name] = !this.all[name];
    this.refresh();
  }

  ask(name, container) {
    this.send(name, { container }, askKey(name, container));
  }

  update(pool, { trails, asks, frozen, open }) {
    Object.assign(this, { asks, frozen });
    this.origin ??= pool.now;
    const living = pool.containers.filter((one) => one.state !== "dead").sort((a, b) => a.born - b.born);
    const dead = pool.containers.filter((one) => one.state === "dead").sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0));
    this.forget(pool.containers);
    this.fill("living", living, LIVING_SHOWN, trails);
    this.fill("dead", dead, DEAD_SHOWN, trails);
    setText(this.tally, tally(living));
    setText(this.ended, dead.length ? `Ended in the last 10 minutes (${count(dead.length)})` : "");
    setText(this.empty, living.length ? "" : open ? "No container is up. The next input starts one." : "No container is up.");
    this.showStart(open);
  }

  /** The button, and beside it (nothing moves below the pointer) what it or any button of a row waits for. */
  showStart(open) {
    const ask = this.asks.get(askKey("start_container", ""));
    setAttribute(this.start, "hidden", !open);
    setText(this.start, isPending(ask) ? "Starting\u2026" : "Start one");
    setOff(this.start, this.frozen || isPending(ask));
    const late = [...this.asks.values()].some((one) => isPending(one) && isLate(one, this.clock()));
    const words = ask?.error || (late ? LATE : "");
    setAttribute(this.said, "data-kind", ask?.error ? "error" : "late");
    showText(this.said, words, 300);
    setAttribute(this.said, "hidden", !words);
    setAttribute(this.tally, "hidden", Boolean(words));
  }

  /** Rows of what is gone; a focus in them, or on the buttons of what is dead now, moves to the list. */
  forget(containers) {
    const states = new Map(containers.map((one) => [one.id, one.state]));
    for (const [id, row] of this.rows) {
      const ends = !states.has(id) || (states.get(id) === "dead" && row.shown.state !== "dead");
      if (ends && row.element.contains(document.activeElement)) this.heading.focus();
      if (states.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
  }

  fill(name, containers, few, trails) {
    const { table, body, more } = this[name];
    const shown = this.all[name] ? containers : containers.slice(0, few);
    for (const one of shown) {
      if (!this.rows.has(one.id)) this.rows.set(one.id, new ContainerRow(one.id, this));
      this.rows.get(one.id).update(one, trails.get(one.id) ?? [], this);
    }
    arrange(body, shown.map((one) => this.rows.get(one.id).element));
    setAttribute(table, "hidden", !shown.length);
    setAttribute(more, "hidden", containers.length <= few);
    setText(more, this.all[name] ? `Show the first ${few}` : `Show all ${count(containers.length)}`);
    setAttribute(more, "aria-expanded", String(this.all[name]));
  }

  tick(now, span) {
    setText(this.axis, `Last ${span / 60} min`);
    for (const row of this.rows.values()) if (row.element.parentNode) row.tick(now, span); // the panel may not be in the page yet
  }

  /** Rows that are new do not wait for the next half second. */
  tickFresh(now, span) {
    for (const row of this.rows.values()) if (!row.ticked) row.tick(now, span);
  }
}
