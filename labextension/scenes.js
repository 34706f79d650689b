// The states that a designer wants to see, each as a first report and what happens next.
import { container, madeHistory, pool } from "./simulation.js";
import { HOSTILE } from "./hostile.js";

const NOW = 1000;
const trail = (...pieces) => pieces.map(([back, state]) => [NOW - back, state]);

function few() {
  return [
    container("ct-31", { state: "busy", born: NOW - 412, since: NOW - 3, served: 1284, running: 2, slots: 4, memory: 212, cpu: 0.93,
      trail: trail([412, "starting"], [410, "entering"], [401, "busy"], [330, "idle"], [290, "busy"], [212, "idle"], [160, "busy"], [14, "idle"], [9, "busy"]) }),
    container("ct-33", { state: "busy", born: NOW - 231, since: NOW - 8, served: 640, running: 1, slots: 4, memory: 198, cpu: 0.71,
      trail: trail([231, "starting"], [229, "entering"], [218, "idle"], [170, "busy"], [60, "idle"], [44, "busy"]) }),
    container("ct-38", { state: "idle", born: NOW - 92, since: NOW - 21, served: 37, slots: 4, memory: 151, cpu: 0.01,
      trail: trail([92, "starting"], [90, "entering"], [81, "busy"], [21, "idle"]) }),
    container("ct-39", { state: "draining", born: NOW - 75, since: NOW - 2, served: 12, running: 1, slots: 4, memory: 160, cpu: 0.4 }),
    container("ct-40", { state: "entering", phase: "enter hooks", born: NOW - 4, since: NOW - 3, served: 0, memory: 44, cpu: 1.02 }),
    container("ct-41", { state: "starting", born: NOW - 1, since: NOW - 1, served: 0, memory: null, cpu: null }),
    container("ct-29", { state: "dead", born: NOW - 500, since: NOW - 240, ended: NOW - 240, served: 420, cause: "stopped: idle for 60 s",
      trail: trail([500, "starting"], [498, "entering"], [488, "busy"], [300, "idle"], [242, "draining"], [240, "dead"]) }),
    container("ct-35", { state: "dead", born: NOW - 190, since: NOW - 95, ended: NOW - 95, served: 61, cause: "killed by signal 9 (SIGKILL)",
      trail: trail([190, "starting"], [188, "entering"], [176, "busy"], [95, "dead"]) }),
    container("ct-30", { state: "dead", born: NOW - 480, since: NOW - 420, ended: NOW - 420, served: 3, cause: "ended with exit code 3" }),
  ];
}

function busy() {
  return pool({
    queued: 3, running: 4, concurrency: { max_inputs: 4, target_inputs: 4 }, containers: few(), history: [...madeHistory(NOW - 2, 6, 560), [NOW - 1, 3, 4, 6]],
    autoscaler: { min_containers: 1, max_containers: 6, buffer_containers: 0, scaledown_window: 60 },
    why: "3 queued, at max_containers=6: raise it to start more",
  });
}

function fifty() {
  const states = ["busy", "busy", "busy", "idle", "busy"];
  const containers = Array.from({ length: 50 }, (_, index) => container(`ct-${100 + index}`, {
    state: states[index % 5], born: NOW - 300 + index * 5, since: NOW - (index % 7), running: index % 5 === 3 ? 0 : 1, served: 900 + index * 37, memory: 130 + index, cpu: index % 5 === 3 ? 0.02 : 0.9,
  }));
  return pool({
    queued: 1240, running: 40, containers, history: madeHistory(NOW, 50, 290, 11), service: "Embed", parameters: "",
    autoscaler: { min_containers: 10, max_containers: null, buffer_containers: 2, scaledown_window: 120 },
    why: "1240 queued, this machine is full: 50 of 50 containers",
  });
}

/** All that only some pools have, as far as one pool can have it. */
function modes() {
  const states = [["busy", 3], ["busy", 8], ["busy", 6], ["draining", 1]];
  const containers = states.map(([state, running], index) => container(`ct-${31 + index}`, {
    state, running, inputs: running * 11, slots: 8, born: NOW - 60 - index * 9, since: NOW - index, served: 470 - index * 60, cpu: 0.8,
  }));
  return pool({
    service: "Classifier", parameters: "", queued: 37, running: 188, containers, history: madeHistory(NOW, 4, 200),
    concurrency: { max_inputs: 8, target_inputs: 6 }, batching: [{ method: "classify", max_batch_size: 16, wait_ms: 100 }],
    batches: { count: 1042, inputs: 11775 }, retries: { max_retries: 3, initial_delay: 1, backoff_coefficient: 2, max_delay: 60 },
    retried: 5, postponed: 2, why: "35 queued, gathering a batch: it leaves when it is full, or its first input has waited for wait_ms; 2 failed and will be tried again",
  });
}

/** Starts that fail: what is wanted waits. */
function held() {
  const dead = (id, back) => container(id, { state: "dead", born: NOW - back - 1, since: NOW - back, ended: NOW - back, served: 0, cause: "ended with exit code 1" });
  return pool({
    pool: 13, service: "Broken", parameters: "", autoscaler: { min_containers: 1, max_containers: null, buffer_containers: 0, scaledown_window: 60 },
    containers: [dead("ct-51", 9), dead("ct-52", 8), dead("ct-53", 6)], back_off: { seconds: 16, until: NOW + 12 },
    why: "starts failed: next try 16 s after the last, or when an input needs it",
  });
}

function several() {
  const method = (name, size, wait) => ({ method: name, max_batch_size: size, wait_ms: wait });
  return pool({
    pool: 14, service: "Several", parameters: "", concurrency: { max_inputs: 1000, target_inputs: 1000 },
    batching: [method("embed", 1000, 0), method("rank_with_a_name_that_is_longer_than_most", 64, 2500)], batches: { count: 7, inputs: 7 },
    retries: { max_retries: 1, initial_delay: 0, backoff_coefficient: 1, max_delay: 60 }, retried: 12345,
    containers: [container("ct-71", { state: "busy", slots: 1000, running: 1000, inputs: 1000, memory: 2300, cpu: 3.9 })],
  });
}

function hostile() {
  const at = (index) => HOSTILE[index % HOSTILE.length];
  const containers = HOSTILE.map((text, index) => container(index % 2 ? `ct-${index}` : text, {
    state: index % 3 ? "dead" : "starting", ended: index % 3 ? NOW - index : null, cause: text, reason: text, phase: text,
  }));
  return pool({ service: at(48), parameters: at(1), app: { id: at(2), name: at(40) }, why: at(3) + at(53), containers, batching: HOSTILE.slice(0, 4).map((method) => ({ method, max_batch_size: 2, wait_ms: 1 })) });
}

function report(...pools) {
  return { pools, connection: "connected", message: "" };
}

const LOST = "No connection since 12 s.";

export const SCENES = {
  busy: () => ({ report: report(busy()), live: true }),
  still: () => ({ report: report(busy()) }),
  empty: () => ({ report: report() }),
  idle: () => ({ report: report(pool({ autoscaler: { min_containers: 0, max_containers: null, buffer_containers: 0, scaledown_window: 60 } })) }),
  loading: () => ({ report: { pools: [], connection: "connecting", message: "" } }),
  lost: () => ({ report: { ...report(busy()), connection: "lost", message: LOST } }),
  ended: () => ({ report: { ...report({ ...busy(), state: "gone", why: "this pool is gone", containers: few().slice(6) }), connection: "ended" } }),
  asleep: () => ({ report: report(busy()), silent: true }),
  error: () => ({ report: report(busy()), options: { refuse: "max_containers=40 needs 40 processor cores; this machine has 8: lower it to 8" } }),
  pending: () => ({ report: report(busy()), options: { answerAfter: null } }),
  modes: () => ({ report: report(modes()) }),
  held: () => ({ report: report(held()) }),
  several: () => ({ report: report(modes(), held(), several()) }),
  fifty: () => ({ report: report(fifty()), live: true }),
  hostile: () => ({ report: report(hostile()) }),
  deployed: () => ({ report: { ...report({ ...busy(), version: 3 }, { ...busy(), pool: 11, version: 2, state: "retired", containers: few().slice(3, 4), queued: 0, running: 1 }),
    apps: [{ id: "ap-1", name: "digits", origin: "deployed in main, version 3", version: 3, pid: 0, classes: ["Forest", "Door"] }] } }),
  absent: () => ({ report: { ...report(), message: "the app 'shop' is not deployed in the environment 'main'" } }),
  everything: () => ({ report: { ...report({ ...busy(), version: 3 }, pool({ pool: 21, app: { id: "ap-9", name: "tokens" }, service: "Tokens", parameters: "", containers: [], history: [] }),
    pool({ pool: 22, app: { id: "ap-9", name: "tokens" }, service: "Letters", parameters: "", containers: [container("ct-90")] })),
    apps: [{ id: "ap-1", name: "digits", origin: "deployed in main, version 3", version: 3, pid: 0, classes: ["Forest", "Door"] },
      { id: "ap-5", name: "shop", origin: "deployed in staging, version 12", version: 12, pid: 0, classes: ["Door", "Till"] },
      { id: "ap-9", name: "tokens", origin: "of process 4711", version: 0, pid: 4711, classes: [] }] } }),
  app: () => ({
    report: report(busy(), pool({ pool: 13, service: "Tokens", parameters: "", why: "nothing is queued", containers: [container("ct-90", { pool: 13 })] }),
      { ...busy(), pool: 11, state: "retired", parameters: "trees=100", containers: few().slice(3, 4), why: "nothing is queued", queued: 0, running: 1 }),
  }),
};
