"""Reports to show, and stories of reports as a supervisor would tell them."""

from __future__ import annotations

from hypothesis import strategies as st

STATES = ["starting", "entering", "idle", "busy", "draining", "dead"]


def container(identity="ct-5-abcdef", **fields):
    return {
        "id": identity,
        "state": "idle",
        "phase": "",
        "since": 12.0,
        "born": 10.0,
        "ended": None,
        "served": 3,
        "running": 0,
        "slots": 1,
        "inputs": 0,
        "pinned": 0,
        "aside": None,
        "start": {},
        "memory": 24,
        "cpu": 0.5,
        "pid": 4711,
        "cause": "",
        "reason": "",
    } | fields


def report(pool=3, **fields):
    return {
        "pool": pool,
        "app": {"id": "ap-2-abcdef", "name": "digits"},
        "service": "Forest",
        "parameters": "trees=200",
        "variant": "",
        "version": 0,
        "state": "running",
        "now": 20.0,
        "autoscaler": {
            "min_containers": 0,
            "max_containers": None,
            "buffer_containers": 0,
            "scaledown_window": 60,
        },
        "queued": 0,
        "running": 0,
        "concurrency": {"max_inputs": 1, "target_inputs": 1},
        "batching": [],
        "batches": {"count": 0, "inputs": 0},
        "retries": None,
        "retried": 0,
        "postponed": 0,
        "back_off": None,
        "why": "nothing is queued",
        "containers": [],
        "history": [],
    } | fields


@st.composite
def stories(draw, pool=3):
    """Reports of one pool in the order of time: containers come and change and go, points are added."""
    born: dict[str, float] = {}
    history: list[list[float]] = []
    told = []
    now = 0.0
    for _ in range(draw(st.integers(1, 12))):
        now += draw(st.sampled_from([0.25, 1.0, 60.0]))
        names = draw(st.sets(st.sampled_from([f"ct-{n}-x" for n in range(8)])))
        for name in names:
            born.setdefault(name, now)
        living = [
            container(
                name, born=born[name], state=draw(st.sampled_from(STATES)), served=draw(st.integers(0, 2))
            )
            for name in names
        ]
        history += [[now + n / 100, n, 0, 0] for n in range(draw(st.sampled_from([0, 0, 1, 2, 400])))]
        told.append(
            report(
                pool,
                now=now,
                queued=draw(st.integers(0, 1)),
                state=draw(st.sampled_from(["running", "retired"])),
                containers=sorted(living, key=lambda one: (one["born"], one["id"])),
                history=history[-600:].copy(),
            )
        )
        now += 5.0
    return told
