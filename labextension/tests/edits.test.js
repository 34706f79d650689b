import { beforeEach, describe, expect, test } from "vitest";
import {
  abandoned, answered, committed, fieldStatus, fieldText, isLate, newEdits, readNumber, reported, reverted, stepped, typed, waited, wanted,
} from "../../modal_nb/views/static/edits.js";
import { askAbandoned, askAnswered, askReported, askWaited, asked, isPending } from "../../modal_nb/views/static/asks.js";

const APPLIED = { min_containers: 1, max_containers: 4, buffer_containers: 0, scaledown_window: 60 };
let fields;

beforeEach(() => {
  fields = newEdits(APPLIED);
});

test.each([
  ["min_containers", "3", 3], ["min_containers", " +0 ", 0], ["scaledown_window", "3600", 3600], ["max_containers", "1", 1],
])("%s takes '%s'", (name, text, value) => expect(readNumber(name, text, 1)).toEqual({ value }));

test.each([
  ["min_containers", "some", "\u201csome\u201d is not a whole number: enter 0 or more"],
  ["min_containers", "-1", "-1 does not fit: enter 0 or more"],
  ["max_containers", "0", "0 does not fit: enter 1 or more"],
  ["max_containers", "", "a limit in force can be changed, not taken away: enter 1 or more"],
  ["buffer_containers", "", "nothing is entered: enter 0 or more"],
  ["scaledown_window", "1", "1 does not fit: enter 2 to 3600"],
  ["scaledown_window", "3601", "3601 does not fit: enter 2 to 3600"],
  ["scaledown_window", "1e3", "\u201c1e3\u201d is not a whole number: enter 2 to 3600"],
  ["scaledown_window", "2.5", "\u201c2.5\u201d is not a whole number: enter 2 to 3600"],
  ["min_containers", "99999999999999999999999", "\u201c9999999999999999999\u2026\u201d is not a whole number: enter 0 or more"],
  ["min_containers", "<img src=x onerror=1>", "\u201c<img src=x onerror=\u2026\u201d is not a whole number: enter 0 or more"],
])("%s refuses '%s'", (name, text, error) => expect(readNumber(name, text, 1).error).toBe(error));

test("no limit stays no limit", () => expect(readNumber("max_containers", "", null)).toEqual({ value: null }));

describe("a change", () => {
  beforeEach(() => {
    typed(fields, "max_containers", "9");
  });

  test("is pending after it was sent, with what applies beside it", () => {
    expect(committed(fields, 1, 0)).toEqual({ max_containers: 9 });
    expect(fieldText(fields.max_containers)).toBe("9");
    expect(fieldStatus(fields.max_containers, "")).toEqual({ kind: "pending", text: "9 pending, now 4" });
  });

  test("is confirmed by a report, whether the answer came before or not", () => {
    committed(fields, 1, 0);
    reported(fields, { ...APPLIED, max_containers: 9 });
    answered(fields, 1, true, "", 0.5);
    expect(fields.max_containers).toMatchObject({ pending: null, applied: 9, error: "" });
  });

  test("snaps back when it is refused, and says why", () => {
    committed(fields, 1, 0);
    answered(fields, 1, false, "the machine has 8 cores: lower it to 8", 0.1);
    expect(fieldText(fields.max_containers)).toBe("4");
    expect(fieldStatus(fields.max_containers, "")).toEqual({ kind: "error", text: "the machine has 8 cores: lower it to 8 (now 4)" });
  });

  test("of which nobody hears is late after a second, and stays pending", () => {
    committed(fields, 1, 0);
    expect([isLate(fields.max_containers.pending, 0.9), isLate(fields.max_containers.pending, 1)]).toEqual([false, true]);
    waited(fields, 100);
    expect(fields.max_containers.pending.value).toBe(9);
  });

  test("that was accepted and overtaken by somebody else snaps back", () => {
    committed(fields, 1, 0);
    answered(fields, 1, true, "", 0.2);
    reported(fields, { ...APPLIED, max_containers: 3 });
    waited(fields, 1);
    expect(fields.max_containers.pending.value).toBe(9);
    waited(fields, 6);
    expect(fieldStatus(fields.max_containers, "")).toEqual({ kind: "note", text: "now 3, not 9: changed elsewhere" });
  });

  test("sent twice listens to the last answer only", () => {
    committed(fields, 1, 0);
    typed(fields, "max_containers", "7");
    committed(fields, 2, 0.1);
    answered(fields, 1, false, "no", 0.2);
    expect(fields.max_containers).toMatchObject({ error: "", pending: { value: 7 } });
  });

  test("is not sent again when it is committed again", () => {
    committed(fields, 1, 0);
    typed(fields, "max_containers", "9");
    expect(committed(fields, 2, 0.1)).toBe(null);
  });

  test("back to what applies is no change", () => {
    typed(fields, "max_containers", "4");
    expect(committed(fields, 1, 0)).toBe(null);
    expect(fields.max_containers.draft).toBe(null);
  });

  test("is dropped with a word when the supervisor goes", () => {
    committed(fields, 1, 0);
    abandoned(fields, "gone");
    expect(fieldStatus(fields.max_containers, "")).toEqual({ kind: "note", text: "gone" });
  });

  test("goes away with Escape", () => {
    reverted(fields, "max_containers");
    expect(fieldText(fields.max_containers)).toBe("4");
  });
});

describe("a floor above the cap", () => {
  test("is not sent, says so, and does not hold back other fields", () => {
    typed(fields, "min_containers", "6");
    typed(fields, "scaledown_window", "30");
    expect(committed(fields, 1, 0)).toEqual({ scaledown_window: 30 });
    expect(fields.min_containers.error).toBe("min_containers (6) is above max_containers (4): raise the cap or lower the floor");
    expect(fieldText(fields.min_containers)).toBe("6");
  });

  test("goes through as soon as the cap follows, in one command", () => {
    typed(fields, "min_containers", "6");
    committed(fields, 1, 0);
    typed(fields, "max_containers", "8");
    expect(committed(fields, 2, 1)).toEqual({ min_containers: 6, max_containers: 8 });
    expect(fields.min_containers.error).toBe("");
  });
});

describe("two editors", () => {
  test("a report does not take the text that is being typed", () => {
    typed(fields, "min_containers", "2");
    reported(fields, { ...APPLIED, min_containers: 3 });
    expect(fieldText(fields.min_containers)).toBe("2");
    expect(fieldStatus(fields.min_containers, "")).toEqual({ kind: "draft", text: "now 3, changed elsewhere" });
  });

  test("a field that nobody edits follows the report", () => {
    reported(fields, { ...APPLIED, min_containers: 3 });
    expect(fieldText(fields.min_containers)).toBe("3");
  });
});

test("steps stay inside the bounds, and start from what is up where there is no limit", () => {
  stepped(fields, "buffer_containers", -1, 1);
  expect(wanted(fields.buffer_containers, "buffer_containers")).toBe(0);
  stepped(fields, "scaledown_window", 9999, 1);
  expect(wanted(fields.scaledown_window, "scaledown_window")).toBe(3600);
  const open = newEdits({ ...APPLIED, max_containers: null });
  stepped(open, "max_containers", 1, 5);
  expect(wanted(open.max_containers, "max_containers")).toBe(5);
});

describe("a button's command", () => {
  const pool = (...containers) => ({ containers: containers.map(([id, state]) => ({ id, state })) });
  let asks;
  beforeEach(() => {
    asks = new Map();
  });

  test.each([
    ["drain_container:ct-1", ["ct-1", "busy"], true], ["drain_container:ct-1", ["ct-1", "draining"], false],
    ["kill_container:ct-1", ["ct-1", "draining"], true], ["kill_container:ct-1", ["ct-1", "dead"], false],
    ["kill_container:ct-1", ["ct-2", "idle"], false], ["start_container:", ["ct-1", "idle"], true], ["start_container:", ["ct-9", "starting"], false],
  ])("%s with %o: still pending %s", (key, there, pending) => {
    asked(asks, key, 1, 0, ["ct-1"]);
    askReported(asks, pool(there));
    expect(isPending(asks.get(key))).toBe(pending);
  });

  test("that is refused says why and can be given again", () => {
    asked(asks, "kill_container:ct-1", 1, 0, []);
    askAnswered(asks, 1, false, "it is not yours", 0.1);
    expect(isPending(asks.get("kill_container:ct-1"))).toBe(false);
    expect(asks.get("kill_container:ct-1").error).toBe("it is not yours");
  });

  test("that was accepted is not pending for ever", () => {
    asked(asks, "kill_container:ct-1", 1, 0, []);
    askAnswered(asks, 1, true, "", 0.1);
    askWaited(asks, 30);
    expect(asks.get("kill_container:ct-1").error).toBe("it was asked, but has not ended yet");
  });

  test("is given up with the supervisor", () => {
    asked(asks, "start_container:", 1, 0, []);
    askAbandoned(asks, "gone", 5);
    expect(asks.get("start_container:").error).toBe("gone");
    askWaited(asks, 24);
    expect(asks.size).toBe(1);
    askWaited(asks, 26);
    expect(asks.size).toBe(0);
  });
});
