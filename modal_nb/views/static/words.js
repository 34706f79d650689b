// What people read: hostile text made visible, numbers with units, states in words. Pure: no DOM, no clock.

/** Control, bidirectional and zero-width characters, by what is shown for them. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/gu;
const CROWD = /(\p{M}{3})\p{M}+/gu;

function symbol(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return `\u2039U+${code.toString(16).toUpperCase().padStart(4, "0")}\u203a`;
}

/** Any value as text in which nothing is hidden: no control character reaches the page. */
export function visible(value) {
  return String(value ?? "").replace(UNSEEN, symbol).replace(CROWD, "$1");
}

/** The same, at most `limit` characters long, and whether something was left out. */
export function cut(value, limit) {
  const raw = String(value ?? "");
  const text = visible(raw.length > 4000 ? raw.slice(0, 4000) : raw);
  const letters = Array.from(text);
  if (letters.length <= limit && raw.length <= 4000) return { text, whole: true };
  return { text: letters.slice(0, limit - 1).join("") + "\u2026", whole: false };
}

/** How long, in words as short as a column: "4 s", "1 m 20 s", "2 h 05 m". */
export function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} m`;
}

/** MiB as people say it; a dash where nobody measured. */
export function memory(mebibytes) {
  if (mebibytes === null) return "\u2013";
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** Processor use in cores. */
export function cores(used) {
  return used === null ? "\u2013" : `${used.toFixed(used < 9.95 ? 1 : 0)} cores`;
}

/** 12345 as "12,345". */
export function count(number) {
  return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** The settings' value as shown: no maximum has words instead of a number. */
export function limit(value) {
  return value === null ? "no limit" : String(value);
}

/** "busy 2 of 4" where a container runs more than one input or batch at a time; else the bare word. */
export function stateWords(container) {
  return container.state === "busy" && container.slots > 1
    ? `busy ${container.running} of ${container.slots}`
    : container.state;
}

const PHASES = { snapshot: "snapshot", launch: "process", imports: "imports", enter: "enter hooks" };

/** As people read them: 12 ms, 0.3 s, 4.2 s, 31 s. */
function seconds(value) {
  if (value < 0.0995) return `${Math.round(1000 * value)} ms`;
  return `${value.toFixed(value < 9.95 ? 1 : 0)} s`;
}

/** How long the phases of its start took, as far as they are over, and how its process came to be, or "". */
export function startWords({ start, way }) {
  const phases = Object.keys(PHASES).filter((name) => name in start).map((name) => `${PHASES[name]} ${seconds(start[name])}`).join(", ");
  return "total" in start ? `started in ${seconds(start.total)}: ${phases}${way ? ` (${way})` : ""}` : phases;
}

/** What there is to say about a container besides its state, or "". `clock` is the moment in the report's own seconds. */
export function detail(container, clock = container.aside) {
  if (container.state === "dead") return container.cause;
  if (container.aside !== null) return `aside for ${age(clock - container.aside)}: somebody looks inside`;
  if (container.pinned && container.state !== "draining") return "taken by who looks inside";
  if (container.state === "starting" || container.state === "entering") return container.reason || container.phase;
  if (container.state === "draining") {
    return container.inputs ? `finishes ${plural(container.inputs, "input")}` : "runs its exit hooks";
  }
  return container.reason;
}

/** Did it end in a way somebody should look at? */
export function endedBadly(container) {
  return container.state === "dead" && !/^($|stopped|ended with exit code 0$)/.test(container.cause);
}

const ORDER = ["busy", "idle", "entering", "starting", "draining"];

/** "12 busy, 3 idle, 1 starting": the living, by state. */
export function tally(containers) {
  const found = ORDER.map((state) => [containers.filter((one) => one.state === state).length, state]);
  return found.filter(([number]) => number).map(([number, state]) => `${count(number)} ${state}`).join(", ");
}

/** What the confirm of a kill says. */
export function killQuestion(container) {
  if (container.pinned) return `Kill ${cut(container.id, 40).text}? What somebody runs inside fails.`;
  const again = container.inputs === 1 ? "Its running input starts" : "Its running inputs start";
  return `Kill ${cut(container.id, 40).text}?` + (container.inputs ? ` ${again} again elsewhere.` : "");
}

/** A sentence without its numbers: two that differ only there need not be read out twice. */
export function gist(sentence) {
  return sentence.replace(/\d+/g, "#");
}

export const LATE = "Waits for the running cell to finish; modal-nb in a terminal acts at once.";
