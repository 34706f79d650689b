// A stand-in for the supervisor and the widget model: reports that look like real ones, and answers to commands.

const HISTORY_S = 600;

/** The half of a widget model that the panel uses. */
export class FakeModel {
  constructor(report) {
    this.report = report;
    this.listeners = new Map();
    this.sent = [];
  }

  get(name) {
    return name === "report" ? this.report : undefined;
  }

  on(name, listener) {
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
  }

  off(name, listener) {
    this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => one !== listener));
  }

  send(content) {
    this.sent.push(content);
    this.heard?.(content);
  }

  /** As Python does it: set the trait. */
  set(report) {
    this.report = report;
    for (const listener of this.listeners.get("change:report") ?? []) listener();
  }

  /** As Python does it: a custom message. */
  push(message) {
    for (const listener of this.listeners.get("msg:custom") ?? []) listener(message, []);
  }
}

/** The same numbers each time. */
export function dice(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

export function container(id, changes = {}) {
  return {
    id, state: "idle", phase: "", since: 990, born: 900, ended: null, served: 12, running: 0, slots: 1, inputs: changes.running ?? 0,
    memory: 148, cpu: 0.02, pid: 4242, cause: "", reason: "", ...changes,
  };
}

export function pool(changes = {}) {
  return {
    pool: 12, app: { id: "ap-1", name: "digits" }, service: "Forest", parameters: "trees=200", state: "running", now: 1000,
    autoscaler: { min_containers: 0, max_containers: 4, buffer_containers: 0, scaledown_window: 60 },
    queued: 0, running: 0, concurrency: { max_inputs: 1, target_inputs: 1 }, batching: [], batches: { count: 0, inputs: 0 },
    retries: null, retried: 0, postponed: 0, back_off: null, why: "nothing is queued", containers: [], history: [], ...changes,
  };
}

/** A past in which load came and went. */
export function madeHistory(now, most, seconds, seed = 7) {
  const next = dice(seed);
  const points = [];
  let queued = 0;
  for (let at = now - seconds; at < now; at += seconds / 160) {
    const wave = Math.max(0, Math.sin(((at - now) / seconds) * 9 + 2.2));
    queued = Math.max(0, Math.round(queued * 0.7 + wave * most * 0.5 * next() - most * 0.08));
    const up = Math.min(most, Math.round(wave * most + next()));
    points.push([at, wave ? queued : 0, Math.min(up, Math.round(wave * most)), up]);
  }
  return points;
}

/** A small supervisor for one pool: containers start, serve, end; commands are answered. */
export class Simulation {
  constructor(model, first, { answerAfter = 120, refuse = "" } = {}) {
    Object.assign(this, { model, pool: first, answerAfter, refuse, next: dice(5), number: 40 });
    model.heard = (content) => this.heard(content);
  }

  report(connection = "connected", message = "") {
    return { pools: [this.pool], connection, message };
  }

  run(each = 250) {
    this.timer = setInterval(() => this.step(each / 1000), each);
  }

  heard(content) {
    if (content.type === "hello") setTimeout(() => this.model.set(structuredClone(this.report())), 30);
    if (content.type !== "command" || this.answerAfter === null) return;
    setTimeout(() => this.act(content), this.answerAfter);
  }

  act({ id, name, arguments: values }) {
    const error = this.refuse;
    this.model.push({ type: "answer", id, ok: !error, error });
    if (error) return;
    const { containers, autoscaler } = this.pool;
    if (name === "update_autoscaler") this.change({ autoscaler: { ...autoscaler, ...values } });
    if (name === "start_container") this.start();
    for (const one of containers) {
      if (one.id !== values.container) continue;
      if (name === "drain_container") this.end(one, "stopped");
      if (name === "kill_container") this.end(one, "killed by signal 9 (SIGKILL)");
    }
  }

  change(keys) {
    Object.assign(this.pool, keys);
    this.model.push({ type: "diff", diff: structuredClone({ pool: this.pool.pool, now: this.pool.now, ...keys }) });
  }

  set(changed) {
    const ids = new Set(changed.map((one) => one.id));
    const kept = this.pool.containers.map((one) => changed.find((other) => other.id === one.id) ?? one);
    const known = new Set(kept.map((one) => one.id));
    this.pool.containers = [...kept, ...changed.filter((one) => !known.has(one.id))];
    return { set: changed.filter((one) => ids.has(one.id)) };
  }

  end(one, cause) {
    const { now } = this.pool;
    const dead = { ...one, state: "dead", since: now, ended: now, running: 0, inputs: 0, cause, memory: null, cpu: null };
    this.push(this.set([dead]));
  }

  start() {
    const { now } = this.pool;
    this.number += 1;
    this.push(this.set([container(`ct-${this.number}`, { state: "starting", since: now, born: now, served: 0, memory: null, cpu: null })]));
  }

  push(containers) {
    const diff = { pool: this.pool.pool, now: this.pool.now, containers };
    this.model.push({ type: "diff", diff: structuredClone(diff) });
  }

  step(seconds) {
    const state = this.pool;
    state.now += seconds;
    const up = state.containers.filter((one) => one.state !== "dead");
    const changed = [];
    for (const one of up) {
      if (this.next() < 0.55) continue;
      const busy = one.state === "busy";
      const since = state.now;
      if (one.state === "starting") changed.push({ ...one, state: "entering", phase: "enter hooks", since, memory: 41, cpu: 1 });
      else if (one.state === "entering") changed.push({ ...one, state: "idle", phase: "", since, memory: 120, cpu: 0.1 });
      else if (one.state !== "draining") {
        changed.push({ ...one, state: busy ? "idle" : "busy", since, running: busy ? 0 : 1, inputs: busy ? 0 : 1, served: one.served + (busy ? 1 : 0), cpu: busy ? 0.05 : 0.8 + this.next() * 0.2, memory: 140 + Math.round(this.next() * 20) });
      }
    }
    const containers = this.set(changed);
    state.running = state.containers.filter((one) => one.state === "busy").length;
    state.queued = Math.max(0, state.queued + Math.round(this.next() * 6 - 3));
    const point = [state.now, state.queued, state.running, up.length];
    state.history = [...state.history, point].filter((one) => one[0] > state.now - HISTORY_S).slice(-600);
    const { queued, running, now } = state;
    this.model.push({ type: "diff", diff: structuredClone({ pool: state.pool, now, queued, running, containers, history: { add: [point] } }) });
  }
}
