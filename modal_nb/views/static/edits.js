// Wishes of the user: checked, sent, pending until a report confirms them, or snapped back. Pure: no DOM, no clock.
import { cut } from "./words.js";

/** The four settings, as the public API names and bounds them. */
export const SETTINGS = [
  { name: "min_containers", low: 0, high: null, unit: "", hint: "always kept up" },
  { name: "max_containers", low: 1, high: null, unit: "", hint: "never more than this" },
  { name: "buffer_containers", low: 0, high: null, unit: "", hint: "spare ones while active" },
  { name: "scaledown_window", low: 2, high: 3600, unit: "s", hint: "idle time before a stop" },
];
/** Seconds without an answer after which the user is told what it waits for. */
export const LATE_S = 1;
/** Seconds a report may take to confirm what was answered with yes. */
const CONFIRM_S = 5;

const RANGES = Object.fromEntries(SETTINGS.map((setting) => [setting.name, setting]));

function bounds({ low, high }) {
  return high === null ? `${low} or more` : `${low} to ${high}`;
}

/** `{value}` of what was typed, or `{error}` with the value and the remedy; it stands below the option's name. */
export function readNumber(name, typed, applied) {
  const range = RANGES[name];
  const text = typed.trim();
  if (text === "" || (name === "max_containers" && /^(none|no limit)$/i.test(text))) {
    if (applied === null) return { value: null };
    const what = name === "max_containers" ? "a limit in force can be changed, not taken away" : "nothing is entered";
    return { error: `${what}: enter ${bounds(range)}` };
  }
  const shown = cut(text, 20).text;
  if (!/^[+-]?\d+$/.test(text) || !Number.isSafeInteger(Number(text))) {
    return { error: `\u201c${shown}\u201d is not a whole number: enter ${bounds(range)}` };
  }
  const value = Number(text);
  if (value < range.low || (range.high !== null && value > range.high)) {
    return { error: `${shown} does not fit: enter ${bounds(range)}` };
  }
  return { value };
}

/** Fresh state of a pool's fields. draft: text being edited; pending: what was sent; note: what became of it. */
export function newEdits(autoscaler) {
  const fields = {};
  for (const { name } of SETTINGS) fields[name] = emptyField(autoscaler[name]);
  return fields;
}

function emptyField(applied) {
  return { applied, draft: null, pending: null, error: "", note: "", moved: false };
}

/** The value this field stands for right now: draft if it is a number, else what is pending, else what is applied. */
export function wanted(field, name) {
  if (field.draft !== null) {
    const read = readNumber(name, field.draft, field.applied);
    if (!("error" in read)) return read.value;
  }
  return field.pending ? field.pending.value : field.applied;
}

/** What the text box shows. */
export function fieldText(field) {
  if (field.draft !== null) return field.draft;
  const value = field.pending ? field.pending.value : field.applied;
  return value === null ? "" : String(value);
}

export function typed(fields, name, text) {
  const field = fields[name];
  if (field.draft === null) field.moved = false;
  Object.assign(field, { draft: text, error: "", note: "" });
}

export function reverted(fields, name) {
  Object.assign(fields[name], { draft: null, error: "", note: "", moved: false });
}

/** One step up or down from where a field stands, inside its bounds. `start`: from where if there is no limit. */
export function stepped(fields, name, by, start) {
  const { low, high } = RANGES[name];
  const from = wanted(fields[name], name);
  const next = from === null ? start : from + by;
  typed(fields, name, String(Math.min(Math.max(next, low), high ?? Number.MAX_SAFE_INTEGER)));
}

/** Why the floor and the cap do not fit together, or "". */
function crossed(fields) {
  const low = wanted(fields.min_containers, "min_containers");
  const high = wanted(fields.max_containers, "max_containers");
  if (high === null || low <= high) return "";
  return `min_containers (${low}) is above max_containers (${high}): raise the cap or lower the floor`;
}

function readDrafts(fields) {
  const changes = {};
  for (const { name } of SETTINGS) {
    const field = fields[name];
    if (field.draft === null) continue;
    const read = readNumber(name, field.draft, field.applied);
    field.error = read.error ?? "";
    if (field.error) continue;
    const stands = field.pending ? field.pending.value : field.applied;
    if (read.value === stands) reverted(fields, name);
    else changes[name] = read.value;
  }
  return changes;
}

/** Check all drafts together: what is to be sent as command `id`, or null. What does not fit says why and stays. */
export function committed(fields, id, now) {
  const changes = readDrafts(fields);
  const conflict = crossed(fields);
  for (const name of ["min_containers", "max_containers"]) {
    if (!conflict || !(name in changes)) continue;
    fields[name].error = conflict;
    delete changes[name];
  }
  for (const [name, value] of Object.entries(changes)) {
    Object.assign(fields[name], { draft: null, error: "", note: "", moved: false });
    fields[name].pending = { value, id, sent: now, answered: null };
  }
  return Object.keys(changes).length ? changes : null;
}

/** A report came: what equals the pending value is confirmed; text that is being edited stays. */
export function reported(fields, autoscaler) {
  for (const { name } of SETTINGS) {
    const field = fields[name];
    const value = autoscaler[name];
    if (field.applied !== value && field.draft !== null) field.moved = true;
    field.applied = value;
    if (field.pending && field.pending.value === value) field.pending = null;
  }
}

/** Is anything pending under this id? A refusal snaps back and says why. */
export function answered(fields, id, ok, error, now) {
  for (const field of Object.values(fields)) {
    if (field.pending?.id !== id) continue;
    if (ok) field.pending.answered = now;
    else {
      field.pending = null;
      field.error = error || "this was refused";
    }
  }
}

/** Time passes: what was accepted but never shows up in a report snaps back, too. */
export function waited(fields, now) {
  for (const field of Object.values(fields)) {
    const pending = field.pending;
    if (!pending || pending.answered === null || now - pending.answered < CONFIRM_S) continue;
    field.pending = null;
    field.note = `now ${field.applied ?? "no limit"}, not ${pending.value}: changed elsewhere`;
  }
}

/** The other side is gone: nothing pending will be confirmed. */
export function abandoned(fields, why) {
  for (const field of Object.values(fields)) {
    if (field.pending) Object.assign(field, { pending: null, note: why });
  }
}

export function isLate(wish, now) {
  return wish !== null && wish.answered === null && now - wish.sent >= LATE_S;
}

/** What stands below a field: `{kind, text}` with kind error, pending, draft, note or hint. */
export function fieldStatus(field, hint) {
  const now = `now ${field.applied ?? "no limit"}`;
  if (field.error) return { kind: "error", text: field.draft === null ? `${field.error} (${now})` : field.error };
  if (field.draft !== null && (field.moved || field.draft.trim() !== String(field.applied ?? ""))) {
    return { kind: "draft", text: field.moved ? `${now}, changed elsewhere` : `${now} \u00b7 Enter applies` };
  }
  if (field.pending) return { kind: "pending", text: `${field.pending.value} pending, ${now}` };
  return field.note ? { kind: "note", text: field.note } : { kind: "hint", text: hint };
}
