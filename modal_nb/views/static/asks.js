// Commands of the buttons (start, drain, kill): pending until a report shows their effect. Pure: no DOM, no clock.

/** Seconds after a yes until the button can be used again, whatever the reports say. */
const PATIENCE_S = 10;
/** Seconds that a refusal is shown. */
const SHOWN_S = 20;

/** One ask per target; `known`: the containers that were there when it was made. */
export function asked(asks, key, id, now, known) {
  asks.set(key, { id, sent: now, answered: null, error: "", known: new Set(known) });
}

export function askKey(name, container) {
  return `${name}:${container}`;
}

function shows(key, ask, pool) {
  const name = key.slice(0, key.indexOf(":"));
  if (name === "start_container") return pool.containers.some((one) => !ask.known.has(one.id));
  const found = pool.containers.find((one) => one.id === key.slice(name.length + 1));
  if (!found || found.state === "dead") return true;
  return name === "drain_container" && found.state === "draining";
}

/** A report came: asks whose effect it shows are done; so is what was said about a container that ended. */
export function askReported(asks, pool) {
  for (const [key, ask] of asks) {
    const start = key.startsWith("start_container");
    if (shows(key, ask, pool) && (!ask.error || !start)) asks.delete(key);
  }
}

/** The answer to `id`. A refusal stays for a while, with its sentence. */
export function askAnswered(asks, id, ok, error, now) {
  for (const ask of asks.values()) {
    if (ask.id !== id) continue;
    ask.answered = now;
    if (!ok) ask.error = error || "this was refused";
  }
}

/** Time passes: what was accepted and has no effect is given up, what was refused is forgotten. */
export function askWaited(asks, now) {
  for (const [key, ask] of asks) {
    if (ask.answered === null || now - ask.answered < (ask.error ? SHOWN_S : PATIENCE_S)) continue;
    if (ask.error || key.startsWith("start_container")) asks.delete(key);
    else Object.assign(ask, { error: "it was asked, but has not ended yet", answered: now });
  }
}

/** The other side is gone. */
export function askAbandoned(asks, why, now) {
  for (const ask of asks.values()) {
    if (!ask.error) Object.assign(ask, { error: why, answered: now });
  }
}

export function isPending(ask) {
  return ask !== undefined && !ask.error;
}
