"""Times one peer, in a process of its own: `python -m benchmarks.measure PEER SECTIONS RESULT.json`."""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import signal
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.peer import PEERS, Burst, PeerProtocol

#: one figure may take so long, in seconds; a peer that hangs loses this figure, not the round
LIMIT_S = 60
#: a burst shorter than this, in seconds, is too short to be timed
LEAST_BURST_S = 1.0
SYNC_CALLS, SYNC_LIMIT_S = 2_000, 2.0

Figure = dict[str, float]


def time_calls(call: Callable[[], object]) -> Figure:
    """p50 and p99 of one blocking call, in microseconds."""
    for _ in range(SYNC_CALLS // 10):
        call()
    gc.collect()
    samples = []
    end = time.perf_counter() + SYNC_LIMIT_S
    while len(samples) < SYNC_CALLS and (time.perf_counter() < end or len(samples) < 100):
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e6)
    return {"p50_us": statistics.median(samples), "p99_us": statistics.quantiles(samples, n=100)[98]}


def time_burst(burst: Burst) -> Figure:
    """Calls per second of the first burst that is long enough."""
    n = burst.first
    burst.run(max(10, n // 10))
    while True:
        gc.collect()
        start = time.perf_counter()
        burst.run(n)
        took = time.perf_counter() - start
        if took >= LEAST_BURST_S or n >= burst.most:
            return {"calls_s": n / took, "calls": n}
        n = min(burst.most, n * min(10, math.ceil(1.2 * LEAST_BURST_S / took)))


def measure(peer: PeerProtocol, sections: str) -> dict[str, Figure]:
    """{"section|what|column": figure}; what failed is said on stderr and left out."""
    found: dict[str, Figure] = {}

    def record(key: str, run: Callable[[], Figure]) -> None:
        signal.alarm(LIMIT_S)
        try:
            found[key] = run()
        except Exception:  # noqa: BLE001  one figure must not end the round
            print(f"{key} failed", file=sys.stderr)
            traceback.print_exc()
        finally:
            signal.alarm(0)

    if "A" in sections:
        for what, call in peer.sync_calls().items():
            record(f"A|{what}|1", lambda call=call: time_calls(call))
    for burst in peer.bursts():
        if burst.section in sections:
            record(f"{burst.section}|{burst.what}|{burst.column}", lambda burst=burst: time_burst(burst))
    return found


def too_long(*_: object) -> None:
    raise TimeoutError(f"no figure after {LIMIT_S} s")


def main(name: str, sections: str, result: str) -> None:
    """Writes what it measured to the file `result`."""
    signal.signal(signal.SIGALRM, too_long)
    peer: PeerProtocol = importlib.import_module(PEERS[name][0]).Peer()
    peer.setup()
    try:
        Path(result).write_text(json.dumps(measure(peer, sections)), encoding="utf-8")
    finally:
        peer.teardown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a peer leaves behind must not keep the round


if __name__ == "__main__":
    main(*sys.argv[1:])
