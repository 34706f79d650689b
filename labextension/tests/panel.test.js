// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import panel from "../../modal_nb/views/static/panel.js";
import { HOSTILE } from "../hostile.js";
import { FakeModel, container, pool } from "../simulation.js";

const report = (...pools) => ({ pools, connection: "connected", message: "" });
let model;
let place;
let close;

beforeEach(() => vi.useFakeTimers());

afterEach(() => {
  close?.();
  close = undefined;
  document.body.replaceChildren();
  vi.useRealTimers();
});

function show(first, answersHello = true) {
  model = new FakeModel(first);
  place = document.createElement("div");
  document.body.append(place);
  if (answersHello) model.heard = (content) => content.type === "hello" && model.push({ type: "here" });
  close = panel.render({ model, el: place });
  frame();
}

const frame = () => vi.advanceTimersByTime(40);
const find = (selector) => place.querySelector(selector);
const words = (selector) => find(selector)?.textContent;
const field = (name) => find(`[data-setting="${name}"] input`);
const status = (name) => words(`[data-setting="${name}"] .mnb-status`);
const named = (name) => [...place.querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name);
const row = (id) => [...place.querySelectorAll(".mnb-row")].find((one) => one.querySelector(".mnb-id").textContent === id);
const commands = () => model.sent.filter((one) => one.type === "command");

function diff(changes) {
  model.push({ type: "diff", diff: { pool: 12, now: 1001, ...changes } });
  frame();
}

function enter(name, text) {
  field(name).focus();
  field(name).value = text;
  field(name).dispatchEvent(new Event("input"));
  field(name).dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
}

test("a container that is aside says since when, and on its state how its start went", () => {
  const start = { launch: 0.3, imports: 2, enter: 1, total: 3.3 };
  show(report(pool({ now: 1000, containers: [container("ct-1", { state: "busy", running: 1, pinned: 1, aside: 940, start })] })));
  vi.advanceTimersByTime(600);
  expect(row("ct-1").querySelector(".mnb-detail").textContent).toMatch(/^aside for 1 m 0\d s: somebody looks inside$/);
  expect(row("ct-1").querySelector(".mnb-state-word").title).toBe("started in 3.3 s: process 0.3 s, imports 2.0 s, enter hooks 1.0 s");
});

describe("states of the panel", () => {
  test("asks for everything when it is shown", () => {
    show(report());
    expect(model.sent).toEqual([{ type: "hello" }]);
  });

  test.each([
    [report(), "empty", /No pool yet/],
    [{ pools: [], connection: "connecting", message: "" }, "loading", /Asking the supervisor/],
    [undefined, "loading", /Asking the supervisor/],
  ])("%o", (first, kind, sentence) => {
    show(first);
    expect(find(".mnb-blank").dataset.kind).toBe(kind);
    expect(words(".mnb-blank")).toMatch(sentence);
  });

  test("lanes have the span of the charts before the front end puts the panel into the page", () => {
    const trail = [[900, "idle"]];
    model = new FakeModel(report(pool({ history: [[900, 0, 0, 1]], containers: [container("ct-1", { born: 900, trail })] })));
    place = document.createElement("div");
    close = panel.render({ model, el: place });
    expect(find(".mnb-lane").getAttribute("viewBox")).toMatch(/ 0 120 10$/);
  });

  test("lost: says so, keeps the picture, and takes no commands", () => {
    show({ ...report(pool({ containers: [container("ct-1")] })), connection: "lost", message: "since 12 s" });
    expect(words(".mnb-banner")).toMatch(/supervisor does not answer.*since 12 s/);
    named("Drain ct-1").click();
    field("min_containers").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" }));
    vi.advanceTimersByTime(1000);
    expect(commands()).toEqual([]);
    expect(field("min_containers").readOnly).toBe(true);
  });

  test("a saved notebook without a kernel is called not live, until something is heard", () => {
    show(report(pool({ containers: [container("ct-1")] })), false);
    vi.advanceTimersByTime(3000);
    expect(words(".mnb-banner")).toMatch(/^Not live/);
    expect(named("Kill ct-1").getAttribute("aria-disabled")).toBe("true");
    diff({ queued: 2 });
    expect(find(".mnb-banner").hidden).toBe(true);
    expect(named("Kill ct-1").hasAttribute("aria-disabled")).toBe(false);
  });

  test("without a comm a command is refused in place", () => {
    show(report(pool()));
    model.send = () => {
      throw new Error("closed");
    };
    named("Start one").click();
    frame();
    expect(words(".mnb-said")).toMatch(/no kernel behind this panel/);
  });

  test("a diff of an unknown pool asks for everything, once", () => {
    show(report());
    model.push({ type: "diff", diff: { pool: 99, queued: 1 } });
    model.push({ type: "diff", diff: { pool: 99, queued: 2 } });
    expect(model.sent.filter((one) => one.type === "hello")).toHaveLength(2);
  });

  test("nonsense on the wire is ignored", () => {
    show(report(pool()));
    for (const junk of [null, 7, "x", { type: "diff" }, { type: "diff", diff: 3 }, { type: "answer" }, { type: "no" }]) model.push(junk);
    frame();
    expect(words(".mnb-service")).toBe("Forest");
  });

  test("a closed view listens to nothing and leaves nothing", () => {
    show(report(pool()));
    close();
    close = undefined;
    expect(place.childNodes).toHaveLength(0);
    expect([...model.listeners.values()].flat()).toHaveLength(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a replaced pool keeps its buttons and loses its settings", () => {
    show(report(pool({ state: "retired", containers: [container("ct-1")] })));
    expect(words(".mnb-pill")).toBe("replaced");
    expect(field("min_containers").readOnly).toBe(true);
    expect(named("Kill ct-1").hasAttribute("aria-disabled")).toBe(false);
    expect(named("Start one").hidden).toBe(true);
  });

  test("a second pool comes and goes", () => {
    show(report(pool()));
    model.set(report(pool(), pool({ pool: 13, service: "Tokens" })));
    frame();
    expect([...place.querySelectorAll(".mnb-service")].map((one) => one.textContent)).toEqual(["Forest", "Tokens"]);
    model.set(report(pool({ pool: 13, service: "Tokens" })));
    frame();
    expect([...place.querySelectorAll(".mnb-service")].map((one) => one.textContent)).toEqual(["Tokens"]);
  });
});

describe("how inputs run", () => {
  const lines = () => [...place.querySelectorAll(".mnb-fact")].map((one) => one.textContent.replaceAll("\u00a0", " "));

  test("nothing is said of a plain pool", () => {
    show(report(pool()));
    expect(find(".mnb-facts").hidden).toBe(true);
    expect(lines()).toEqual([]);
  });

  test("lines come, change in place and go with the reports", () => {
    show(report(pool({ batching: [{ method: "f", max_batch_size: 4, wait_ms: 10 }] })));
    const [line] = place.querySelectorAll(".mnb-fact");
    diff({ batches: { count: 2, inputs: 5 }, retries: { max_retries: 1, initial_delay: 1, backoff_coefficient: 1, max_delay: 60 } });
    expect(lines()).toEqual(["batches of up to 4, waiting at most 10 ms (2 so far, 2.5 inputs on average)", "up to 1 retry, after 1 s"]);
    expect(place.querySelector(".mnb-fact")).toBe(line);
    diff({ retries: null });
    expect(lines()).toHaveLength(1);
  });

  test("a back-off counts down between reports, in a folded pool too, and is not read out each second", () => {
    show(report(pool({ back_off: { seconds: 4, until: 1003.5 } }), pool({ pool: 13 })));
    expect(lines()).toEqual(["starts are held back after failures: next try in 4 s"]);
    named("Fold Forest").click();
    vi.advanceTimersByTime(1000);
    expect(lines()).toEqual(["starts are held back after failures: next try in 3 s"]);
    expect(find(".mnb-facts").closest("[aria-live]")).toBe(null);
    expect(words(".mnb-voice")).not.toMatch(/held back/);
    vi.advanceTimersByTime(3000);
    expect(lines()).toEqual([]);
  });

  test("it counts from the moment that a difference of the time alone tells", () => {
    show(report(pool({ back_off: { seconds: 60, until: 1060 } })));
    diff({ now: 1041 });
    expect(lines()).toEqual(["starts are held back after failures: next try in 19 s"]);
  });
});

describe("settings", () => {
  beforeEach(() => show(report(pool())));

  test("Enter sends; the value is pending until a report has it", () => {
    enter("max_containers", "9");
    expect(commands()).toMatchObject([{ pool: 12, name: "update_autoscaler", arguments: { max_containers: 9 } }]);
    expect(status("max_containers")).toBe("9 pending, now 4");
    diff({ autoscaler: { ...pool().autoscaler, max_containers: 9 } });
    expect(status("max_containers")).toBe("never more than this");
    expect(field("max_containers").value).toBe("9");
  });

  test("a refusal snaps back and says why", () => {
    enter("max_containers", "9");
    model.push({ type: "answer", id: commands()[0].id, ok: false, error: "this machine has 8 cores: lower it to 8" });
    frame();
    expect(field("max_containers").value).toBe("4");
    expect(status("max_containers")).toBe("this machine has 8 cores: lower it to 8 (now 4)");
    expect(field("max_containers").getAttribute("aria-invalid")).toBe("true");
    expect(words(".mnb-voice")).toMatch(/8 cores/);
  });

  test("no answer in a second: it says what it waits for", () => {
    enter("max_containers", "9");
    expect(find(".mnb-late").hidden).toBe(true);
    vi.advanceTimersByTime(1600);
    expect(find(".mnb-late").hidden).toBe(false);
    model.push({ type: "answer", id: commands()[0].id, ok: true });
    vi.advanceTimersByTime(600);
    expect(find(".mnb-late").hidden).toBe(true);
  });

  test("words are not sent", () => {
    enter("buffer_containers", "some");
    expect(commands()).toEqual([]);
    expect(status("buffer_containers")).toMatch(/is not a whole number/);
    field("buffer_containers").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
    expect(field("buffer_containers").value).toBe("0");
  });

  test("five clicks on a stepper are one command", () => {
    for (let click = 0; click < 5; click += 1) named("raise min_containers").click();
    vi.advanceTimersByTime(1000);
    expect(commands()).toEqual([]);
    expect(status("min_containers")).toMatch(/above max_containers/);
    named("lower min_containers").click();
    named("lower min_containers").click();
    vi.advanceTimersByTime(1000);
    expect(commands().map((one) => one.arguments)).toEqual([{ min_containers: 3 }]);
  });

  test("typed text and the focus survive reports", () => {
    field("min_containers").focus();
    field("min_containers").value = "2";
    field("min_containers").dispatchEvent(new Event("input"));
    diff({ autoscaler: { ...pool().autoscaler, min_containers: 3 }, queued: 7 });
    expect(field("min_containers").value).toBe("2");
    expect(status("min_containers")).toBe("now 3, changed elsewhere");
    expect(document.activeElement).toBe(field("min_containers"));
  });

  test("the slider's thumbs stop at each other, and it sends when it is let go", () => {
    const [low] = place.querySelectorAll(".mnb-thumb");
    low.value = "8";
    low.dispatchEvent(new Event("input"));
    expect(field("min_containers").value).toBe("4");
    expect(commands()).toEqual([]);
    low.dispatchEvent(new Event("change"));
    expect(commands().map((one) => one.arguments)).toEqual([{ min_containers: 4 }]);
  });

  test("the supervisor going away takes what is pending along", () => {
    enter("max_containers", "9");
    model.set({ ...report(pool()), connection: "lost" });
    frame();
    expect(field("max_containers").value).toBe("4");
    expect(status("max_containers")).toMatch(/went away before this was confirmed/);
  });
});

describe("containers", () => {
  beforeEach(() => show(report(pool({ containers: [container("ct-1"), container("ct-2", { state: "busy", running: 1 })] }))));

  test("a kill asks first; Escape keeps, and the focus comes back", () => {
    named("Kill ct-2").click();
    expect(words(".mnb-question")).toBe("Kill ct-2? Its running input starts again elsewhere.");
    expect(document.activeElement.textContent).toBe("Keep");
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    expect(commands()).toEqual([]);
    expect(document.activeElement).toBe(named("Kill ct-2"));
  });

  test("a confirmed kill is pending until the container is dead, with its cause", () => {
    named("Kill ct-2").click();
    named("Kill now").click();
    expect(commands()).toMatchObject([{ name: "kill_container", arguments: { container: "ct-2" } }]);
    expect(named("Kill ct-2").textContent).toBe("Killing\u2026");
    named("Kill ct-2").click();
    expect(commands()).toHaveLength(1);
    diff({ containers: { set: [container("ct-2", { state: "dead", ended: 1001, cause: "killed by signal 9 (SIGKILL)" })], gone: [] } });
    expect(row("ct-2").dataset.state).toBe("dead");
    expect(row("ct-2").querySelector(".mnb-detail").textContent).toBe("killed by signal 9 (SIGKILL)");
    expect(row("ct-2").closest(".mnb-dead-rows")).not.toBe(null);
    expect(document.activeElement.textContent).toBe("Containers");
  });

  test("a refused drain says why in its row, and can be tried again", () => {
    named("Drain ct-1").click();
    expect(named("Drain ct-1").textContent).toBe("Draining\u2026");
    model.push({ type: "answer", id: commands()[0].id, ok: false, error: "it has ended already" });
    frame();
    expect(row("ct-1").querySelector(".mnb-below").textContent).toBe("it has ended already");
    named("Drain ct-1").click();
    expect(commands()).toHaveLength(2);
  });

  test("start is pending until a new one shows", () => {
    named("Start one").click();
    expect(words(".mnb-start")).toBe("Starting\u2026");
    vi.advanceTimersByTime(1600);
    expect(words(".mnb-said")).toMatch(/^Waits for the running cell/);
    diff({ containers: { set: [container("ct-3", { state: "starting" })], gone: [] } });
    expect(words(".mnb-start")).toBe("Start one");
    expect(find(".mnb-said").hidden).toBe(true);
  });

  test("only rows that changed are touched", async () => {
    vi.useRealTimers();
    await new Promise((done) => setTimeout(done, 60));
    const touched = [];
    const watcher = new MutationObserver((records) => touched.push(...records.map((one) => one.target)));
    watcher.observe(place, { subtree: true, childList: true, attributes: true, characterData: true });
    model.push({ type: "diff", diff: { pool: 12, now: 1000, containers: { set: [container("ct-2", { state: "busy", running: 1, served: 13 })], gone: [] } } });
    await new Promise((done) => setTimeout(done, 60));
    watcher.disconnect();
    expect(touched.some((node) => row("ct-2").contains(node))).toBe(true);
    expect(touched.some((node) => row("ct-1").contains(node))).toBe(false);
    vi.useFakeTimers();
  });

  test("a row keeps its element and its focus while it changes", () => {
    const before = row("ct-2");
    named("Drain ct-2").focus();
    for (let round = 0; round < 5; round += 1) diff({ containers: { set: [container("ct-2", { state: round % 2 ? "idle" : "busy", served: round })], gone: [] } });
    expect(row("ct-2")).toBe(before);
    expect(document.activeElement).toBe(named("Drain ct-2"));
  });

  test("a container that vanishes hands the focus to the list", () => {
    named("Drain ct-2").focus();
    diff({ containers: { set: [], gone: ["ct-2"] } });
    expect(document.activeElement.textContent).toBe("Containers");
  });

  test("fifty are twelve, until one asks for all", () => {
    diff({ containers: { set: Array.from({ length: 50 }, (_, index) => container(`ct-${index}`, { born: index })), gone: [] } });
    expect(place.querySelectorAll(".mnb-row")).toHaveLength(12);
    named("Show all 50").click();
    expect(place.querySelectorAll(".mnb-row")).toHaveLength(50);
    named("Show the first 12").click();
    expect(place.querySelectorAll(".mnb-row")).toHaveLength(12);
  });
});

describe("for a screen reader", () => {
  test("a sentence that differs only in numbers is not read out again", () => {
    show(report(pool({ why: "3 queued, at max_containers=4: raise it to start more" })));
    expect(words(".mnb-voice")).toMatch(/^3 queued/);
    vi.advanceTimersByTime(9000);
    diff({ why: "4 queued, at max_containers=4: raise it to start more" });
    expect(words(".mnb-why")).toMatch(/^4 queued/);
    expect(words(".mnb-voice")).toMatch(/^3 queued/);
    diff({ why: "nothing is queued" });
    expect(words(".mnb-voice")).toBe("nothing is queued");
  });

  test("every control has a name, and pictures have words", () => {
    show(report(pool({ containers: [container("ct-1")] })));
    for (const one of place.querySelectorAll("input")) expect(one.labels.length > 0 || one.hasAttribute("aria-label")).toBe(true);
    for (const one of place.querySelectorAll("button")) expect(one.getAttribute("aria-label") || one.textContent || one.hidden).toBeTruthy();
    for (const one of place.querySelectorAll("svg[role=img]")) expect(one.getAttribute("aria-label")).toBeTruthy();
  });
});

const ALLOWED = new Set(["DIV", "SECTION", "SPAN", "P", "BDI", "BUTTON", "INPUT", "LABEL", "CODE", "DL", "DT", "DD", "svg", "path", "circle"]);

describe.each(HOSTILE.map((text, index) => [index, text]))("hostile string %d", (_, text) => {
  test("stays text wherever it comes from", () => {
    const dead = container(`dead${text}`, { state: "dead", ended: 990, cause: text });
    const containers = [container(text, { state: "starting", reason: text, phase: text }), dead];
    const evil = pool({ service: text, parameters: text, app: { id: text, name: text }, why: text, containers, state: text, batching: [{ method: text }, { method: text }], autoscaler: { min_containers: text } });
    show({ pools: [evil], connection: "connected", message: text });
    named("Start one").click();
    model.push({ type: "answer", id: commands()[0].id, ok: false, error: text });
    enter("min_containers", text.slice(0, 24));
    diff({ why: `${text}!`, service: text });
    vi.advanceTimersByTime(2000);
    for (const node of place.querySelectorAll("*")) {
      expect(ALLOWED).toContain(node.tagName);
      expect(node.getAttributeNames().filter((name) => /^on|^href$|^src|^style$/.test(name) && !(name === "style" && node.className === "mnb-range"))).toEqual([]);
    }
    expect(globalThis.pwned).toBe(undefined);
    expect(place.textContent).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  });
});
