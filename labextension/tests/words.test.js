import { describe, expect, test } from "vitest";
import { HOSTILE } from "../hostile.js";
import { age, cores, count, cut, detail, endedBadly, gist, killQuestion, memory, startWords, stateWords, tally, visible } from "../../modal_nb/views/static/words.js";
import { readContainer } from "../../modal_nb/views/static/state.js";

const container = (changes) => readContainer({ id: "ct-7", state: "idle", ...changes });

test.each([
  [0, "0 s"], [59.9, "59 s"], [80, "1 m 20 s"], [3599, "59 m 59 s"], [7500, "2 h 05 m"], [-3, "0 s"], [NaN, "0 s"],
])("an age of %d s reads %s", (seconds, words) => expect(age(seconds)).toBe(words));

test("numbers come with units, and a dash where nobody measured", () => {
  expect([memory(148.4), memory(2048), memory(null), cores(0.93), cores(12.4), cores(null), count(1234567)]).toEqual(
    ["148 MiB", "2.0 GiB", "\u2013", "0.9 cores", "12 cores", "\u2013", "1,234,567"]);
});

describe("text from outside", () => {
  test("shows what cannot be seen", () => {
    expect(visible("a\u0000b\u001b[31m\u007f")).toBe("a\u2400b\u241b[31m\u2421");
    expect(visible("\u202egnp.exe")).toBe("\u2039U+202E\u203agnp.exe");
    expect(visible("x\ud800y\u200bz\n")).toBe("x\ufffdy\u2039U+200B\u203az\u240a");
  });

  test("keeps other alphabets and joined emoji", () => {
    expect(visible("\u0645\u0631\u062d\u0628\u0627 \u{1f468}\u200d\u{1f469}")).toBe("\u0645\u0631\u062d\u0628\u0627 \u{1f468}\u200d\u{1f469}");
  });

  test("is cut between characters, never inside of one", () => {
    expect(cut("\u{1f600}".repeat(9), 4)).toEqual({ text: "\u{1f600}\u{1f600}\u{1f600}\u2026", whole: false });
    expect(cut("four", 4)).toEqual({ text: "four", whole: true });
  });

  test.each(HOSTILE.map((text, index) => [index, text]))("hostile string %d holds no hidden character", (_, text) => {
    const shown = cut(text, 100).text;
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/);
    expect(Array.from(shown).length).toBeLessThanOrEqual(100);
  });
});

test("there are 60 hostile strings, each another", () => expect(new Set(HOSTILE).size).toBe(60));

test("a container says how busy it is only where it can be more than busy", () => {
  expect(stateWords(container({ state: "busy", running: 1 }))).toBe("busy");
  expect(stateWords(container({ state: "busy", running: 2, slots: 4 }))).toBe("busy 2 of 4");
});

test.each([
  [{ state: "starting", reason: "waits for memory", phase: "its process starts" }, "waits for memory"],
  [{ state: "entering", phase: "enter hooks" }, "enter hooks"],
  [{ state: "draining", running: 2 }, "finishes 2 inputs"],
  [{ state: "draining", running: 1, slots: 4, inputs: 16 }, "finishes 16 inputs"],
  [{ state: "draining" }, "runs its exit hooks"],
  [{ state: "dead", cause: "stopped: idle" }, "stopped: idle"],
  [{ state: "busy", aside: 100, pinned: 1 }, "aside for 0 s: somebody looks inside"],
  [{ state: "busy", pinned: 2 }, "taken by who looks inside"],
])("the detail of %o", (changes, words) => expect(detail(container(changes))).toBe(words));

test.each([
  ["stopped", false], ["stopped: idle for 60 s", false], ["ended with exit code 0", false], ["", false],
  ["killed by signal 9 (SIGKILL)", true], ["ended with exit code 3", true], ["killed: took too long", true],
])("an end by '%s' is bad: %s", (cause, bad) => expect(endedBadly(container({ state: "dead", cause }))).toBe(bad));

test("a tally leaves out what is not there", () => {
  expect(tally([container({}), container({ state: "busy" }), container({ state: "busy" }), container({ state: "dead" })])).toBe("2 busy, 1 idle");
  expect(tally([])).toBe("");
});

test("a kill says what happens to the inputs", () => {
  expect(killQuestion(container({}))).toBe("Kill ct-7?");
  expect(killQuestion(container({ running: 2 }))).toBe("Kill ct-7? Its running inputs start again elsewhere.");
  expect(killQuestion(container({ running: 1, inputs: 16 }))).toBe("Kill ct-7? Its running inputs start again elsewhere.");
});

test("a container aside says for how long", () => {
  expect(detail(container({ state: "busy", aside: 100 }), 183.5)).toBe("aside for 1 m 23 s: somebody looks inside");
  expect(killQuestion(container({ running: 1, pinned: 1, aside: 100 }))).toBe("Kill ct-7? What somebody runs inside fails.");
});

test.each([
  [{}, ""], [{ launch: 0.31 }, "process 0.3 s"], [{ launch: "soon", imports: NaN }, ""],
  [{ launch: 0.3, imports: 2.04, enter: 8, total: 10.34 }, "started in 10 s: process 0.3 s, imports 2.0 s, enter hooks 8.0 s"],
  [{ snapshot: 1.25, launch: 0.006, imports: 0.0004, enter: 0.0996, total: 1.36 },
    "started in 1.4 s: snapshot 1.3 s, process 6 ms, imports 0 ms, enter hooks 0.1 s"],
])("a start of %o", (start, words) => expect(startWords(container({ start }))).toBe(words));

test("how its process came to be", () =>
  expect(startWords(container({ start: { launch: 0.006, total: 0.01 }, way: "forked" }))).toBe("started in 10 ms: process 6 ms (forked)"));

test("sentences that differ only in numbers have one gist", () => expect(gist("3 queued")).toBe(gist("14 queued")));
