import { expect, test } from "vitest";
import { container, dice, pool } from "../simulation.js";
import { applyDiff, changedPool, living, readPool, readReport } from "../../modal_nb/views/static/state.js";

const whole = (...pools) => readReport({ pools, connection: "connected", message: "" });

test.each([[undefined], [null], [7], ["words"], [[]], [{ pools: 3 }], [{ pools: [null, 4, { containers: "x", history: [1] }] }]])(
  "a report of %o does not break anything", (raw) => {
    const report = readReport(raw);
    expect(report.connection).toBe("connecting");
    expect([...report.pools.values()].every((one) => Array.isArray(one.containers))).toBe(true);
  });

test("what is missing or no number gets its default", () => {
  const read = readPool({ pool: 3, queued: NaN, autoscaler: { max_containers: "many" }, containers: [{ id: 5, state: "odd" }] });
  expect(read).toMatchObject({ queued: 0, state: "running", autoscaler: { min_containers: 0, max_containers: null, scaledown_window: 60 } });
  expect(read.containers[0]).toMatchObject({ id: "5", state: "starting", memory: null, slots: 1 });
});

test("a diff changes what it names and leaves the rest the same objects", () => {
  const before = readPool(pool({ containers: [container("ct-1"), container("ct-2")] }));
  const after = changedPool(before, { pool: 12, now: 1001, queued: 4, containers: { set: [container("ct-2", { state: "busy" }), container("ct-3")], gone: [] } });
  expect(after).toMatchObject({ now: 1001, queued: 4, why: before.why });
  expect(after.autoscaler).toBe(before.autoscaler);
  expect(after.containers[0]).toBe(before.containers[0]);
  expect(after.containers.map((one) => [one.id, one.state])).toEqual([["ct-1", "idle"], ["ct-2", "busy"], ["ct-3", "idle"]]);
  expect(before.containers[1].state).toBe("idle");
});

test("a container that is gone leaves", () => {
  const report = whole(pool({ containers: [container("ct-1"), container("ct-2")] }));
  expect(applyDiff(report, { pool: 12, now: 1, containers: { set: [], gone: ["ct-1"] } })).toBe(12);
  expect(report.pools.get(12).containers.map((one) => one.id)).toEqual(["ct-2"]);
});

test("history is added to, and holds 600 points", () => {
  const history = Array.from({ length: 600 }, (_, index) => [index, 0, 0, 0]);
  const after = changedPool(readPool(pool({ history })), { pool: 12, history: { add: [[600, 1, 2, 3], [601, 0, 0, 3]] } });
  expect([after.history.length, after.history[0][0], after.history[599]]).toEqual([600, 2, [601, 0, 0, 3]]);
});

test("a diff of an unknown pool is told; a whole one is taken", () => {
  const report = whole();
  expect(applyDiff(report, { pool: 5, queued: 1 })).toBe(null);
  expect(applyDiff(report, null)).toBe(null);
  expect(applyDiff(report, pool({ pool: 5 }))).toBe(5);
  expect(report.pools.get(5).service).toBe("Forest");
});

test("diffs, in order, lead to the last full report", () => {
  const next = dice(42);
  const last = pool({ containers: [] });
  const report = whole(structuredClone(last));
  for (let round = 0; round < 300; round += 1) {
    const diff = { pool: 12, now: 1000 + round };
    if (next() < 0.5) diff.queued = Math.floor(next() * 9);
    const id = `ct-${Math.floor(next() * 8)}`;
    const others = last.containers.filter((one) => one.id !== id);
    if (next() < 0.3) Object.assign(diff, { containers: { set: [], gone: [id] } }, (last.containers = others) && {});
    else {
      const one = container(id, { born: Number(id.slice(3)), served: round });
      diff.containers = { set: [one], gone: [] };
      last.containers = [...others, one];
    }
    const point = [round, 1, 2, 3];
    diff.history = { add: [point] };
    last.history.push(point);
    Object.assign(last, { now: diff.now, queued: diff.queued ?? last.queued });
    applyDiff(report, structuredClone(diff));
  }
  const sorted = (one) => ({ ...one, containers: [...one.containers].sort((a, b) => a.born - b.born) });
  expect(sorted(report.pools.get(12))).toEqual(sorted(readPool(last)));
});

test("the dead do not live", () => {
  expect(living(readPool(pool({ containers: [container("ct-1"), container("ct-2", { state: "dead" })] }))).map((one) => one.id)).toEqual(["ct-1"]);
});
