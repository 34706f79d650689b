// In words, how the inputs of a pool run and what has come of it; nothing where it is as everywhere. Pure: no DOM, no
// clock. The table and the terminal say the same (client/facts.py).
import { count, cut } from "./words.js";

/** 0.1 as "100 ms", 1.5 as "1.5 s". */
function duration(seconds) {
  const [value, unit] = seconds < 1 ? [seconds * 1000, "ms"] : [seconds, "s"];
  return `${Number(value.toPrecision(6))} ${unit}`;
}

function inBrackets(words, more) {
  return more.length ? `${words} (${more.join(", ")})` : words;
}

function concurrency({ concurrency: { max_inputs: most, target_inputs: target }, batching }) {
  if (most <= 1) return [];
  const what = batching.length ? "inputs or batches" : "inputs";
  return [`up to ${count(most)} ${what} at a time per container${target < most ? `, aims at ${count(target)}` : ""}`];
}

function room({ max_batch_size: most, wait_ms: wait }) {
  return `up to ${count(most)}, ${wait ? `waiting at most ${duration(wait / 1000)}` : "without waiting"}`;
}

function batches({ batching, batches: { count: sent, inputs } }) {
  const sofar = sent ? [`${count(sent)} so far`, `${(Math.round((10 * inputs) / sent) / 10).toFixed(1)} inputs on average`] : [];
  if (batching.length === 1) return [inBrackets(`batches of ${room(batching[0])}`, sofar)];
  const each = batching.map((one) => `batches of ${cut(one.method, 40).text}: ${room(one)}`);
  return each.length && sent ? [...each, `batches: ${sofar.join(", ")}`] : each;
}

function delay({ max_retries: most, initial_delay: initial, backoff_coefficient: coefficient, max_delay: longest }) {
  const first = Math.min(initial, longest);
  if (!first) return "at once";
  return `${most > 1 && coefficient > 1 && first < longest ? "first " : ""}after ${duration(first)}`;
}

function retries({ retries: policy, retried, postponed }) {
  if (!policy) return [];
  const words = `up to ${count(policy.max_retries)} ${policy.max_retries === 1 ? "retry" : "retries"}, ${delay(policy)}`;
  return [inBrackets(words, [...(retried ? [`${count(retried)} so far`] : []), ...(postponed ? [`${count(postponed)} waiting`] : [])])];
}

/** Counts down: `clock` is the moment in the report's own seconds. */
function backOff({ back_off: held }, clock) {
  if (!held || held.until <= clock) return [];
  return [`starts are held back after failures: next try in ${Math.ceil(held.until - clock)} s`];
}

/** Counts down, too. */
function lingers({ lingers: left }, clock) {
  if (!left) return [];
  const [what, unless] = left.back ? ["back", "uses them"] : ["gone", "comes back"];
  return [`its notebook is ${what}: containers end in ${Math.max(0, Math.ceil(left.until - clock))} s unless it ${unless}`];
}

/** Short sentences `{ kind, text }` about a pool as state.js reads it; of the kind "held" is what somebody should look at. */
export function facts(pool, clock) {
  const calm = [...concurrency(pool), ...batches(pool), ...retries(pool)].map((text) => ({ kind: "calm", text }));
  return [...calm, ...[...backOff(pool, clock), ...lingers(pool, clock)].map((text) => ({ kind: "held", text }))];
}
