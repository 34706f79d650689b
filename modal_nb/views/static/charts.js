// The small pictures: counts over the last minutes, and the life of a container as a lane. Seconds are the x axis.
import { drawing, element, setAttribute, setText } from "./elements.js";
import { age, count } from "./words.js";
import { pointAt } from "./history.js";

/** The open end of a lane lies beyond the picture, so that time passing changes the view box alone. */
const OPEN = 100000;
const HEIGHT = 100;
const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The smallest round number that is not below `value`. */
export function roundTop(value) {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(value, 1))));
  const tops = ROUND.map((step) => Math.round(step * unit * 10) / 10).filter(Number.isInteger);
  return tops.find((top) => top >= value) ?? 10 * unit;
}

function seconds(moment, origin) {
  return Math.round((moment - origin) * 10) / 10;
}

/** An area in steps from `low(point)` up to `high(point)`; newest value up to the open end. */
export function stepArea(history, origin, top, low, high) {
  if (!history.length) return "";
  const y = (value) => Math.round((HEIGHT - (Math.min(value, top) / top) * HEIGHT) * 10) / 10;
  const there = [];
  const back = [];
  history.forEach((point, index) => {
    const from = seconds(point[0], origin);
    const to = index + 1 < history.length ? seconds(history[index + 1][0], origin) : OPEN;
    there.push(`${from} ${y(high(point))}H${to}`);
    back.push(`${to} ${y(low(point))}H${from}`);
  });
  return `M${there.join("L")}L${back.reverse().join("L")}z`;
}

/** One path per state, for a lane ten units high. */
export function lanePaths(trail, ended, origin) {
  const paths = {};
  trail.forEach(([from, state], index) => {
    if (state === "dead") return;
    const next = index + 1 < trail.length ? trail[index + 1][0] : Infinity;
    const end = Math.min(next, ended ?? Infinity);
    const left = seconds(from, origin);
    const right = end === Infinity ? OPEN : seconds(end, origin);
    if (right > left) paths[state] = `${paths[state] ?? ""}M${left} 0H${right}V10H${left}z`;
  });
  return paths;
}

/** A lane: six paths that change when the container does, and a view box that follows the time. */
export class Lane {
  constructor() {
    this.element = drawing("svg", { class: "mnb-lane", preserveAspectRatio: "none", role: "img" });
    this.paths = new Map();
    this.trail = null;
  }

  update(container, trail, origin) {
    if (trail === this.trail && container.ended === this.ended) return;
    this.trail = trail;
    this.ended = container.ended;
    this.origin = origin;
    const paths = lanePaths(trail, container.ended, origin);
    for (const state of Object.keys(paths)) if (!this.paths.has(state)) this.addPath(state);
    for (const [state, path] of this.paths) setAttribute(path, "d", paths[state] ?? "");
    const words = trail.filter((piece) => piece[1] !== "unseen").slice(-4).map((piece) => piece[1]);
    setAttribute(this.element, "aria-label", `life: ${words.join(", then ")}`);
  }

  addPath(state) {
    const path = drawing("path", { "data-state": state });
    this.paths.set(state, path);
    this.element.append(path);
  }

  moveTo(now, span) {
    if (this.trail) setAttribute(this.element, "viewBox", `${seconds(now - span, this.origin)} 0 ${span} 10`);
  }
}

class Strip {
  constructor(name, areas) {
    this.paths = areas.map((area) => drawing("path", { class: `mnb-area mnb-${area.name}` }));
    this.mark = drawing("path", { class: "mnb-mark" });
    this.svg = drawing("svg", { preserveAspectRatio: "none", role: "img" }, ...this.paths, this.mark);
    this.top = element("span", { class: "mnb-top", "aria-hidden": "true" });
    this.element = element("div", { class: "mnb-strip" }, this.svg, this.top);
    Object.assign(this, { name, areas });
  }

  draw(history, origin, most, mark) {
    // some air above, and the mark in sight unless it is far away
    const high = Math.max(most, mark !== null && mark <= most * 2 + 2 ? mark : 0);
    const top = roundTop(high * 1.15);
    this.areas.forEach((area, index) => {
      setAttribute(this.paths[index], "d", stepArea(history, origin, top, area.low, area.high));
    });
    const y = mark === null || mark > top ? null : HEIGHT - (mark / top) * HEIGHT;
    setAttribute(this.mark, "d", y === null ? "" : `M${-OPEN} ${y}H${OPEN}`);
    setText(this.top, most ? `${count(top)} ${this.name}` : `no ${this.name}`);
  }
}

const INPUTS = [
  { name: "running", low: () => 0, high: (point) => point[2] },
  { name: "queued", low: (point) => point[2], high: (point) => point[2] + point[1] },
];
const CONTAINERS = [{ name: "containers", low: () => 0, high: (point) => point[3] }];

function most(history, of) {
  return history.reduce((found, point) => Math.max(found, of(point)), 0);
}

/** Two strips with one time axis: inputs (running below queued) and containers (with the maximum as a line). */
export class LoadChart {
  constructor() {
    this.inputs = new Strip("inputs", INPUTS);
    this.containers = new Strip("containers", CONTAINERS);
    this.cursor = element("div", { class: "mnb-cursor", hidden: true });
    this.from = element("span");
    this.readout = element("span", { class: "mnb-readout" });
    this.plot = element("div", { class: "mnb-plot" }, this.inputs.element, this.containers.element, this.cursor);
    const axis = element("div", { class: "mnb-axis", "aria-hidden": "true" }, this.from, this.readout, element("span", {}, "now"));
    this.element = element("div", { class: "mnb-chart" }, this.plot, axis);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.unpoint());
    this.history = null;
    this.at = null;
  }

  update(history, now, span, maximum) {
    if (history !== this.history || maximum !== this.maximum) this.redraw(history, maximum);
    Object.assign(this, { now, span });
    const box = `${seconds(now - span, this.origin)} 0 ${span} ${HEIGHT}`;
    setAttribute(this.inputs.svg, "viewBox", box);
    setAttribute(this.containers.svg, "viewBox", box);
    setText(this.from, `${span / 60} min ago`);
    if (this.at !== null) this.read();
  }

  redraw(history, maximum) {
    Object.assign(this, { history, maximum, origin: history.length ? history[0][0] : 0 });
    const load = most(history, (point) => point[1] + point[2]);
    const containers = most(history, (point) => point[3]);
    this.inputs.draw(history, this.origin, load, null);
    this.containers.draw(history, this.origin, containers, maximum);
    const last = history[history.length - 1] ?? [0, 0, 0, 0];
    const words = `${count(last[1])} queued and ${count(last[2])} running now, at most ${count(load)} together`;
    setAttribute(this.inputs.svg, "aria-label", `Inputs over the last minutes: ${words}`);
    const up = `${count(last[3])} now, at most ${count(containers)}`;
    setAttribute(this.containers.svg, "aria-label", `Containers over the last minutes: ${up}`);
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    this.at = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.read();
  }

  unpoint() {
    this.at = null;
    setAttribute(this.cursor, "hidden", true);
    setText(this.readout, "");
  }

  read() {
    const back = (1 - this.at) * (this.span ?? 60);
    const point = pointAt(this.history ?? [], (this.now ?? 0) - back);
    setAttribute(this.cursor, "hidden", false);
    this.cursor.style.left = `${this.at * 100}%`;
    const words = point ? `${count(point[1])} queued, ${count(point[2])} running, ${count(point[3])} up` : "nothing known";
    setText(this.readout, `${age(back)} ago: ${words}`);
  }
}
