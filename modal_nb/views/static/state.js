// The reports as this page knows them: reading what came, applying diffs. Pure: no DOM, no clock.

/** Points of history a report holds; the same number as on the other side. */
const POINTS = 600;
const STATES = ["starting", "entering", "idle", "busy", "draining", "dead"];
const CONNECTIONS = ["connecting", "connected", "lost", "ended"];

function number(value, otherwise = 0) {
  return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
}

function text(value) {
  return typeof value === "string" ? value : value === null || value === undefined ? "" : String(value);
}

function list(value) {
  return Array.isArray(value) ? value : [];
}

function record(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

/** Seconds of the phases of a start that are over. */
function readStart(raw) {
  const sent = record(raw);
  return Object.fromEntries(["snapshot", "launch", "imports", "enter", "total"].filter((name) => number(sent[name], null) !== null).map((name) => [name, sent[name]]));
}

/** One container with every field there, whatever was sent. */
export function readContainer(raw) {
  const sent = record(raw);
  const since = number(sent.since);
  return {
    id: text(sent.id),
    state: STATES.includes(sent.state) ? sent.state : "starting",
    phase: text(sent.phase),
    since,
    born: number(sent.born, since),
    ended: number(sent.ended, null),
    served: number(sent.served),
    running: number(sent.running),
    slots: number(sent.slots, 1),
    inputs: number(sent.inputs, number(sent.running)),
    pinned: number(sent.pinned),
    aside: number(sent.aside, null),
    start: readStart(sent.start),
    way: text(sent.way),
    memory: number(sent.memory, null),
    cpu: number(sent.cpu, null),
    pid: number(sent.pid),
    cause: text(sent.cause),
    reason: text(sent.reason),
    trail: list(sent.trail).filter((piece) => STATES.includes(list(piece)[1])).map(([from, state]) => [number(from), state]),
  };
}

function readAutoscaler(raw) {
  const sent = record(raw);
  return {
    min_containers: number(sent.min_containers),
    max_containers: number(sent.max_containers, null),
    buffer_containers: number(sent.buffer_containers),
    scaledown_window: number(sent.scaledown_window, 60),
  };
}

function readConcurrency(raw) {
  const most = number(record(raw).max_inputs, 1);
  return { max_inputs: most, target_inputs: number(record(raw).target_inputs, most) };
}

function readBatching(raw) {
  const sent = record(raw);
  return { method: text(sent.method), max_batch_size: number(sent.max_batch_size, 1), wait_ms: number(sent.wait_ms) };
}

function readRetries(raw) {
  const sent = record(raw);
  if (!number(sent.max_retries)) return null;
  return {
    max_retries: number(sent.max_retries),
    initial_delay: number(sent.initial_delay),
    backoff_coefficient: number(sent.backoff_coefficient, 1),
    max_delay: number(sent.max_delay, Infinity),
  };
}

function readBackOff(raw) {
  const { seconds, until } = record(raw);
  return typeof until === "number" && Number.isFinite(until) ? { seconds: number(seconds), until } : null;
}

function readLingers(raw) {
  const { until, back } = record(raw);
  return typeof until === "number" && Number.isFinite(until) ? { until, back: back === true } : null;
}

function readPoint(raw) {
  const point = list(raw);
  return [number(point[0]), number(point[1]), number(point[2]), number(point[3])];
}

const READ = {
  app: (raw) => ({ id: text(record(raw).id), name: text(record(raw).name) }),
  service: text,
  parameters: text,
  version: (raw) => number(raw),
  state: (raw) => (raw === "retired" || raw === "gone" ? raw : "running"),
  now: (raw) => number(raw),
  autoscaler: readAutoscaler,
  queued: (raw) => number(raw),
  running: (raw) => number(raw),
  concurrency: readConcurrency,
  batching: (raw) => list(raw).map(readBatching),
  batches: (raw) => ({ count: number(record(raw).count), inputs: number(record(raw).inputs) }),
  retries: readRetries,
  retried: (raw) => number(raw),
  postponed: (raw) => number(raw),
  back_off: readBackOff,
  lingers: readLingers,
  why: text,
};

/** One pool's report with every field there. */
export function readPool(raw) {
  const sent = record(raw);
  const pool = { pool: number(sent.pool, -1) };
  for (const [key, read] of Object.entries(READ)) pool[key] = read(sent[key]);
  pool.containers = list(sent.containers).map(readContainer);
  pool.history = list(sent.history).map(readPoint).slice(-POINTS);
  return pool;
}

/** An app as a heading: whose the pools are. */
function readApp(raw) {
  const sent = record(raw);
  return { id: text(sent.id), name: text(sent.name), origin: text(sent.origin), version: number(sent.version), classes: list(sent.classes).map(text) };
}

/** The whole synced report: pools by number, and how the connection is. */
export function readReport(raw) {
  const sent = record(raw);
  const pools = list(sent.pools).map(readPool);
  return {
    pools: new Map(pools.map((pool) => [pool.pool, pool])),
    connection: CONNECTIONS.includes(sent.connection) ? sent.connection : "connecting",
    message: text(sent.message),
    apps: list(sent.apps).map(readApp),
  };
}

function changedContainers(containers, change) {
  const fresh = new Map(list(change.set).map((raw) => [text(record(raw).id), readContainer(raw)]));
  const gone = new Set(list(change.gone).map(text));
  const kept = containers.filter((one) => !gone.has(one.id) || fresh.has(one.id));
  const result = kept.map((one) => fresh.get(one.id) ?? one);
  const known = new Set(result.map((one) => one.id));
  return result.concat([...fresh.values()].filter((one) => !known.has(one.id)));
}

/** The pool after a diff. What did not change stays the same object, so that views can skip it. */
export function changedPool(pool, diff) {
  const result = { ...pool };
  for (const [key, read] of Object.entries(READ)) if (key in diff) result[key] = read(diff[key]);
  if (Array.isArray(diff.containers)) result.containers = diff.containers.map(readContainer);
  else if (diff.containers) result.containers = changedContainers(pool.containers, record(diff.containers));
  if (Array.isArray(diff.history)) result.history = diff.history.map(readPoint).slice(-POINTS);
  else if (diff.history) {
    result.history = pool.history.concat(list(record(diff.history).add).map(readPoint)).slice(-POINTS);
  }
  return result;
}

/** Put a diff into `report`: the number of the pool that changed, or null for one that is not known here. */
export function applyDiff(report, raw) {
  const diff = record(raw);
  const key = number(diff.pool, -1);
  const pool = report.pools.get(key);
  if (pool === undefined && !Array.isArray(diff.containers)) return null;
  report.pools.set(key, pool === undefined ? readPool(diff) : changedPool(pool, diff));
  return key;
}

export function living(pool) {
  return pool.containers.filter((one) => one.state !== "dead");
}
