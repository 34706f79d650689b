// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import panel from "../../modal_nb/views/static/panel.js";
import { HOSTILE } from "../hostile.js";
import { FakeModel, container, pool } from "../simulation.js";

const shop = { id: "ap-1", name: "shop", origin: "deployed in main, version 3", version: 3, classes: ["Door", "Till"] };
const mine = { id: "ap-2", name: "tokens", origin: "of this notebook", version: 0, classes: [] };
const till = (changes) => pool({ app: { id: "ap-1", name: "shop" }, service: "Till", version: 3, ...changes });
const tokens = (changes) => pool({ pool: 20, app: { id: "ap-2", name: "tokens" }, service: "Tokens", ...changes });
const report = (apps, pools = [], message = "") => ({ pools, apps, connection: "connected", message });
let model;
let place;
let close;

beforeEach(() => vi.useFakeTimers());

afterEach(() => {
  close?.();
  document.body.replaceChildren();
  vi.useRealTimers();
});

function show(first) {
  model = new FakeModel(first);
  model.heard = (content) => content.type === "hello" && model.push({ type: "here" });
  place = document.createElement("div");
  document.body.append(place);
  close = panel.render({ model, el: place });
  vi.advanceTimersByTime(40);
}

function set(next) {
  model.set(next);
  vi.advanceTimersByTime(40);
}

const all = (selector) => [...place.querySelectorAll(selector)];
const heads = () => all(".mnb-group-head").map((head) => [...head.children].map((word) => word.textContent));
const services = (group) => [...group.querySelectorAll(".mnb-service")].map((name) => name.textContent);
const blank = () => all(".mnb-blank:not([hidden])").map((one) => one.textContent);

test("a deployed app is a heading over its pools", () => {
  show(report([shop], [till()]));
  expect(heads()).toEqual([["shop", "deployed in main, version 3"]]);
  expect(all(".mnb-group").map(services)).toEqual([["Till"]]);
  expect(all(".mnb-app")[0].textContent).toBe("");
  expect(blank()).toEqual([]);
});

test("an app without a pool says which classes it has", () => {
  show(report([shop]));
  expect(all(".mnb-group-bare:not([hidden])").map((one) => one.textContent)).toEqual(["No pool yet of Door, Till: one opens with the first call."]);
  expect(blank()).toEqual([]);
});

test("what is not deployed is one sentence, until it is", () => {
  show(report([], [], "the app 'shop' is not deployed in the environment 'main'"));
  expect(blank()).toEqual(["the app 'shop' is not deployed in the environment 'main'"]);
  expect(all(".mnb-banner:not([hidden])")).toEqual([]);
  set(report([shop], [till()]));
  expect([blank(), heads().length]).toEqual([[], 1]);
});

test("a new version goes on in the same place, and the old pool says which it is", () => {
  show(report([shop], [till()]));
  const group = all(".mnb-group")[0];
  const newer = { ...shop, origin: "deployed in main, version 4", version: 4 };
  set(report([newer], [till({ state: "retired" }), till({ pool: 13, version: 4 })]));
  expect(all(".mnb-group")).toEqual([group]);
  expect(heads()).toEqual([["shop", "deployed in main, version 4"]]);
  expect(all(".mnb-pool .mnb-app").map((one) => one.textContent)).toEqual(["version 3", ""]);
  set(report([newer], [till({ pool: 13, version: 4 })]));
  expect(services(group)).toEqual(["Till"]);
});

test("everything: apps in their order, quiet pools folded, each pool below its app", () => {
  show(report([shop, mine], [till({ containers: [container("ct-1")] }), tokens({ containers: [] })]));
  expect(heads()).toEqual([["shop", "deployed in main, version 3"], ["tokens", "of this notebook"]]);
  expect(all(".mnb-group").map(services)).toEqual([["Till"], ["Tokens"]]);
  expect(all(".mnb-fold").map((one) => one.getAttribute("aria-expanded"))).toEqual(["true", "false"]);
  set(report([mine], [tokens()]));
  expect(all(".mnb-service").map((one) => one.textContent)).toEqual(["Tokens"]);
});

test("a button below a heading speaks for its own pool", () => {
  show(report([shop, mine], [till({ containers: [container("ct-1")] }), tokens({ containers: [container("ct-2")] })]));
  all("button").find((one) => one.getAttribute("aria-label") === "Drain ct-2").click();
  const [command] = model.sent.filter((one) => one.type === "command");
  expect([command.pool, command.name]).toEqual([20, "drain_container"]);
});

test("without apps all is as it was", () => {
  show({ pools: [till()], connection: "connected", message: "" });
  expect(heads()).toEqual([]);
  expect(all(".mnb-app")[0].textContent).toBe("app shop");
});

test("hostile names of apps are text", () => {
  const apps = HOSTILE.map((text, index) => ({ id: `ap-${index}`, name: text, origin: text, version: 1, classes: [text] }));
  show(report(apps));
  expect(all(".mnb-group")).toHaveLength(HOSTILE.length);
  expect(globalThis.pwned).toBeUndefined();
  expect(place.querySelectorAll("script, img, iframe, a")).toHaveLength(0);
});
