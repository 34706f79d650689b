// What this page remembers beyond one report: the life of each container, and the counts of ten minutes. Pure.

/** Seconds that are remembered and shown. */
export const WINDOW_S = 600;
/** A busy stretch is at least this long in a lane: 1,000 inputs a second would be 1,000 stripes. */
const GRAIN_S = 2;
const SPANS = [60, 120, 300, WINDOW_S];

export function newMemory() {
  return { history: [], trails: new Map() };
}

/** `[[from, state], ...]` of a container after one more report about it; what was before the first is unseen. */
export function grownTrail(trail, container) {
  const { state, since, born } = container;
  if (trail === undefined && container.trail.length) return container.trail;
  if (trail === undefined) return born < since ? [[born, "unseen"], [since, state]] : [[since, state]];
  const last = trail[trail.length - 1];
  if (last[1] === state) return trail;
  const calm = state === "idle" && last[1] === "busy";
  const from = calm ? Math.max(since, last[0] + GRAIN_S) : since;
  const kept = trail.filter((piece) => piece[0] < from);
  if (kept.length && kept[kept.length - 1][1] === state) return kept;
  return [...kept, [from, state]];
}

function withoutOld(trail, cutoff) {
  let first = 0;
  while (first + 1 < trail.length && trail[first + 1][0] < cutoff) first += 1;
  return first ? trail.slice(first) : trail;
}

/** History of the last ten minutes: what was known, then what the report holds. */
export function joinedHistory(known, reported, now) {
  if (!reported.length) return known.filter((point) => point[0] > now - WINDOW_S);
  const from = reported[0][0];
  const older = known.filter((point) => point[0] < from);
  const joined = older.length ? older.concat(reported) : reported;
  let first = 0;
  while (first + 1 < joined.length && joined[first + 1][0] < now - WINDOW_S) first += 1;
  return first ? joined.slice(first) : joined;
}

/** Take one pool's report into memory. */
export function remember(memory, pool) {
  const known = memory.history;
  const last = pool.history[pool.history.length - 1];
  if (!known.length || last !== known[known.length - 1]) {
    memory.history = joinedHistory(known, pool.history, pool.now);
  }
  const trails = new Map();
  for (const one of pool.containers) {
    const trail = grownTrail(memory.trails.get(one.id), one);
    trails.set(one.id, withoutOld(trail, pool.now - WINDOW_S));
  }
  memory.trails = trails;
}

/** How many seconds to show: the shortest window that holds everything there is. */
export function span(memory, now) {
  let earliest = memory.history.length ? memory.history[0][0] : now;
  for (const trail of memory.trails.values()) earliest = Math.min(earliest, trail[0][0]);
  return SPANS.find((seconds) => seconds >= now - earliest) ?? WINDOW_S;
}

/** The point in force at a moment, or null before the first. */
export function pointAt(history, moment) {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (history[middle][0] <= moment) low = middle + 1;
    else high = middle;
  }
  return low ? history[low - 1] : null;
}
