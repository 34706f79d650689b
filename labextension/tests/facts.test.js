import { expect, test } from "vitest";
import { facts } from "../../modal_nb/views/static/facts.js";
import { readPool } from "../../modal_nb/views/static/state.js";
import { pool } from "../simulation.js";
// the same cases as those of the table and the terminal (tests/client/test_facts.py)
import CASES from "../../tests/views/facts.json";

const said = (report, clock = report.now) => facts(readPool(report), clock).map((one) => one.text);

test.each(CASES.map(({ about, report, facts: wanted }) => [about, report, wanted]))("%s", (_, changes, wanted) => {
  expect(said(pool(changes))).toEqual(wanted);
});

test("what holds starts back is marked, counts down with the clock, and goes", () => {
  const report = pool({ back_off: { seconds: 16, until: 1012 } });
  const [held] = facts(readPool(report), 1000);
  expect(held).toEqual({ kind: "held", text: "starts are held back after failures: next try in 12 s" });
  expect(said(report, 1011.5)).toEqual(["starts are held back after failures: next try in 1 s"]);
  expect(said(report, 1012)).toEqual([]);
});

test("a notebook that is gone counts down with the clock", () => {
  const report = pool({ lingers: { until: 1300, back: false } });
  const [held] = facts(readPool(report), 1060.5);
  expect(held).toEqual({ kind: "held", text: "its notebook is gone: containers end in 240 s unless it comes back" });
});

test.each([
  [{ lingers: "long" }], [{ lingers: { until: NaN, back: 1 } }],
  [{}], [{ concurrency: 3, batching: "x", batches: null, retries: [], back_off: "soon" }], [{ batching: [null], retries: { max_retries: "many" } }],
  [{ concurrency: { max_inputs: NaN }, back_off: { until: Infinity } }],
])("a report of %o breaks nothing", (changes) => {
  expect(said({ pool: 12, now: 1000, ...changes }).filter((text) => /NaN|undefined|null|Infinity/.test(text))).toEqual([]);
});

test("the name of a method is cut, and hides nothing", () => {
  const one = (method) => ({ method, max_batch_size: 2, wait_ms: 1 });
  const [first] = said(pool({ batching: [one(`\u202e${"x".repeat(500)}`), one("b")] }));
  expect(first).toMatch(/^batches of \u2039U\+202E\u203ax+\u2026: up to 2/);
  expect(first.length).toBeLessThan(90);
});
