// The four autoscaler settings: fields with steppers, one slider with two thumbs, and what is pending or wrong.
import { button, element, newId, setAttribute, setOff, setText } from "./elements.js";
import { LATE, count } from "./words.js";
import { SETTINGS, committed, fieldStatus, fieldText, isLate, reverted, stepped, typed, wanted } from "./edits.js";
import { living } from "./state.js";
import { roundTop } from "./charts.js";

/** Milliseconds after the last click on a stepper until the value is sent: five clicks are one command. */
const SETTLE_MS = 350;

class NumberField {
  constructor(setting, editor) {
    this.setting = setting;
    this.editor = editor;
    const id = newId("field");
    this.input = element("input", {
      id, type: "text", inputmode: "numeric", autocomplete: "off", spellcheck: "false", role: "spinbutton",
      class: "mnb-input", "aria-valuemin": setting.low, "aria-valuemax": setting.high, "aria-describedby": `${id}-status`,
      placeholder: setting.name === "max_containers" ? "no limit" : "", maxlength: 24,
    });
    this.less = this.stepper("\u2212", -1, `lower ${setting.name}`);
    this.more = this.stepper("+", 1, `raise ${setting.name}`);
    const unit = element("span", { class: "mnb-unit", "aria-hidden": "true" }, setting.unit);
    this.status = element("div", { id: `${id}-status`, class: "mnb-status" });
    const label = element("label", { for: id, class: "mnb-label" }, setting.name);
    const box = element("div", { class: "mnb-stepper" }, this.less, this.input, ...(setting.unit ? [unit] : []), this.more);
    this.element = element("div", { class: "mnb-field", "data-setting": setting.name }, label, box, this.status);
    this.input.addEventListener("input", () => this.editor.type(setting.name, this.input.value));
    this.input.addEventListener("blur", () => this.editor.commit());
    this.input.addEventListener("keydown", (event) => this.pressed(event));
  }

  stepper(label, by, words) {
    const act = () => this.editor.step(this.setting.name, by);
    return button(label, { class: "mnb-step", tabindex: -1, "aria-label": words, title: words }, act);
  }

  pressed(event) {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    if (event.key === "Enter") this.editor.commit();
    else if (event.key === "Escape") this.editor.revert(this.setting.name);
    else if (event.key in steps) this.editor.step(this.setting.name, steps[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  update(field, frozen) {
    const { name, low, high, hint } = this.setting;
    const text = fieldText(field);
    if (this.input.value !== text) this.input.value = text;
    const value = wanted(field, name);
    const status = fieldStatus(field, hint);
    setAttribute(this.element, "data-kind", status.kind);
    setText(this.status, status.text);
    setAttribute(this.input, "aria-invalid", status.kind === "error" ? "true" : null);
    setAttribute(this.input, "aria-valuenow", value);
    setAttribute(this.input, "aria-valuetext", value === null ? "no limit" : null);
    setAttribute(this.input, "readonly", frozen);
    setOff(this.less, frozen || value === low);
    setOff(this.more, frozen || (high !== null && value === high));
  }
}

/** Two native sliders on one track: the lower thumb is min_containers, the upper one max_containers. */
class RangeSlider {
  constructor(editor) {
    this.editor = editor;
    this.low = this.thumb("min_containers");
    this.high = this.thumb("max_containers");
    this.band = element("div", { class: "mnb-band" });
    this.mark = element("div", { class: "mnb-up" });
    this.top = element("span");
    this.words = element("span", { class: "mnb-up-words" });
    const track = element("div", { class: "mnb-track" }, this.band, this.mark, this.low, this.high);
    const ends = element("div", { class: "mnb-ends", "aria-hidden": "true" }, element("span", {}, "0"), this.words, this.top);
    this.element = element("div", { class: "mnb-range" }, track, ends);
    this.held = false;
  }

  thumb(name) {
    const input = element("input", { type: "range", min: 0, step: 1, class: "mnb-thumb", "aria-label": `${name} (slider)` });
    input.addEventListener("input", () => this.moved(name, input));
    input.addEventListener("change", () => this.release());
    input.addEventListener("pointerdown", () => { this.held = true; });
    for (const end of ["pointerup", "pointercancel", "blur"]) input.addEventListener(end, () => { this.held = false; });
    return input;
  }

  /** The thumbs never cross: each stops at the other. */
  moved(name, input) {
    const other = name === "min_containers" ? this.high : this.low;
    const bounded = name === "min_containers" ? Math.min : Math.max;
    const value = Math.max(bounded(Number(input.value), Number(other.value)), name === "min_containers" ? 0 : 1);
    input.value = String(value);
    const open = name === "max_containers" && value === this.limit && this.editor.fields.max_containers.applied === null;
    this.editor.type(name, open ? "" : String(value));
  }

  release() {
    this.held = false;
    this.editor.commit();
  }

  update(fields, containers, frozen) {
    const low = wanted(fields.min_containers, "min_containers");
    const high = wanted(fields.max_containers, "max_containers");
    if (!this.held) this.limit = Math.max(roundTop(Math.max(low, high ?? 0, containers)), 10);
    this.place(this.low, low, String(low), frozen);
    this.place(this.high, high ?? this.limit, high === null ? "no limit" : String(high), frozen);
    setText(this.top, high === null ? "no limit" : count(this.limit));
    setText(this.words, `${count(containers)} up`);
    const share = (value) => `${(Math.min(value, this.limit) / this.limit) * 100}`;
    this.element.style.setProperty("--mnb-low", share(low));
    this.element.style.setProperty("--mnb-high", share(high ?? this.limit));
    this.element.style.setProperty("--mnb-now", share(containers));
    setAttribute(this.element, "data-crossed", high !== null && low > high);
  }

  place(input, value, words, frozen) {
    setAttribute(input, "max", this.limit);
    if (input.value !== String(value)) input.value = String(value);
    setAttribute(input, "aria-valuetext", words);
    setAttribute(input, "aria-disabled", frozen ? "true" : null);
  }
}

/** Everything about one pool's settings. `send(name, arguments)` gives the command's number. */
export class SettingsEditor {
  constructor(fields, { now, nextId, send, announce }) {
    Object.assign(this, { fields, now, nextId, send, announce, frozen: false, timer: null, containers: 0 });
    this.numbers = SETTINGS.map((setting) => new NumberField(setting, this));
    this.range = new RangeSlider(this);
    this.late = element("p", { class: "mnb-late", hidden: true }, LATE);
    const grid = element("div", { class: "mnb-fields" }, ...this.numbers.map((number) => number.element));
    this.element = element("div", { class: "mnb-settings", role: "group" }, grid, this.range.element, this.late);
    grid.insertBefore(this.range.element, this.numbers[2].element);
  }

  type(name, text) {
    if (this.frozen) return this.paint();
    typed(this.fields, name, text);
    return this.paint();
  }

  step(name, by) {
    if (this.frozen) return;
    stepped(this.fields, name, by, Math.max(1, this.containers, wanted(this.fields.min_containers, "min_containers")));
    this.paint();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.commit(), SETTLE_MS);
  }

  revert(name) {
    clearTimeout(this.timer);
    reverted(this.fields, name);
    this.paint();
  }

  commit() {
    clearTimeout(this.timer);
    if (this.frozen) return;
    const id = this.nextId();
    const changes = committed(this.fields, id, this.now());
    if (changes) this.send("update_autoscaler", changes, id);
    const wrong = SETTINGS.find(({ name }) => this.fields[name].error && this.fields[name].draft !== null);
    if (wrong) this.announce(`${wrong.name}: ${this.fields[wrong.name].error}`);
    this.paint();
  }

  update(pool, frozen) {
    this.containers = living(pool).length;
    this.frozen = frozen;
    this.paint();
  }

  paint() {
    for (const number of this.numbers) number.update(this.fields[number.setting.name], this.frozen);
    this.range.update(this.fields, this.containers, this.frozen);
    setAttribute(this.late, "hidden", !Object.values(this.fields).some((field) => isLate(field.pending, this.now())));
  }

  close() {
    clearTimeout(this.timer);
  }
}
