import { expect, test } from "vitest";
import { grownTrail, joinedHistory, newMemory, pointAt, remember, span } from "../../modal_nb/views/static/history.js";
import { lanePaths, roundTop, stepArea } from "../../modal_nb/views/static/charts.js";
import { container, pool } from "../simulation.js";
import { readContainer, readPool } from "../../modal_nb/views/static/state.js";

const seen = (state, since, born = 0) => readContainer(container("ct-1", { state, since, born }));
const life = (...states) => states.reduce((trail, [state, since]) => grownTrail(trail, seen(state, since)), undefined);

test("what was before this page looked is unseen", () => {
  expect(life(["idle", 50])).toEqual([[0, "unseen"], [50, "idle"]]);
});

test("a life that the report tells is taken as it is", () => {
  const told = readContainer(container("ct-1", { trail: [[0, "starting"], [4, "idle"]] }));
  expect(grownTrail(undefined, told)).toEqual([[0, "starting"], [4, "idle"]]);
});

test("a piece of a life that is no state is left out", () => {
  const told = readContainer(container("ct-1", { trail: [[0, "constructor"], [1, "idle"], [2, "__proto__"], null, [3]] }));
  expect(told.trail).toEqual([[1, "idle"]]);
});

test("each state is a piece of the lane", () => {
  expect(life(["starting", 0], ["entering", 2], ["idle", 9], ["busy", 20], ["dead", 31])).toEqual(
    [[0, "starting"], [2, "entering"], [9, "idle"], [20, "busy"], [31, "dead"]]);
});

test("a busy stretch that is short is drawn long enough to see, and many become one", () => {
  expect(life(["idle", 0], ["busy", 10], ["idle", 10.1])).toEqual([[0, "idle"], [10, "busy"], [12, "idle"]]);
  expect(life(["idle", 0], ["busy", 10], ["idle", 10.1], ["busy", 10.2], ["idle", 10.3])).toEqual([[0, "idle"], [10, "busy"], [12, "idle"]]);
});

test("ten minutes of flicker stay small", () => {
  let trail;
  for (let at = 0; at < 600; at += 0.25) trail = grownTrail(trail, seen(at % 0.5 ? "idle" : "busy", at));
  expect(trail.length).toBeLessThan(620);
});

test("a lane is one path per state, open at the end while it lives", () => {
  expect(lanePaths([[10, "idle"], [20, "busy"]], null, 10)).toEqual({ idle: "M0 0H10V10H0z", busy: "M10 0H100000V10H10z" });
  expect(lanePaths([[10, "busy"], [14, "dead"]], 14, 10)).toEqual({ busy: "M0 0H4V10H0z" });
});

test("history of ten minutes outlives the 600 points of a report", () => {
  const older = [[1, 0, 0, 1], [2, 1, 0, 1]];
  expect(joinedHistory(older, [[2, 1, 0, 1], [3, 2, 0, 1]], 10)).toEqual([[1, 0, 0, 1], [2, 1, 0, 1], [3, 2, 0, 1]]);
  expect(joinedHistory([[1, 0, 0, 1], [50, 1, 0, 1]], [[700, 0, 0, 0]], 700)).toEqual([[50, 1, 0, 1], [700, 0, 0, 0]]);
});

test("the window is the shortest that holds everything", () => {
  const memory = newMemory();
  expect(span(memory, 1000)).toBe(60);
  remember(memory, readPool(pool({ containers: [container("ct-1", { born: 800 })] })));
  expect(span(memory, 1000)).toBe(300);
});

test("containers that left are forgotten", () => {
  const memory = newMemory();
  remember(memory, readPool(pool({ containers: [container("ct-1")] })));
  remember(memory, readPool(pool({ containers: [] })));
  expect(memory.trails.size).toBe(0);
});

test("the point at a moment is the last one before it", () => {
  const history = [[10, 1, 0, 0], [20, 2, 0, 0]];
  expect([pointAt(history, 9), pointAt(history, 10)?.[1], pointAt(history, 19)?.[1], pointAt(history, 99)?.[1]]).toEqual([null, 1, 1, 2]);
});

test.each([[0, 1], [1, 1], [7, 8], [11, 12], [23, 25], [121, 150], [1240, 1500], [9001, 10000]])("the axis for %d ends at %d", (value, top) => {
  expect(roundTop(value)).toBe(top);
});

test("an area goes in steps and stays open", () => {
  const path = stepArea([[10, 0, 1, 0], [20, 0, 2, 0]], 10, 2, () => 0, (point) => point[2]);
  expect(path).toBe("M0 50H10L10 0H100000L100000 100H10L10 100H0z");
});
