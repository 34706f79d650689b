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
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import processes
from benchmarks.peers.peer import CROWD, PEERS, BasePeer, Burst, Crowd, Start

#: one figure may take so long, in seconds; a peer that hangs loses this figure, not the round
LIMIT_S, CROWD_LIMIT_S = 60, 200
#: a burst shorter than this, in seconds, is too short to be timed
LEAST_BURST_S = 1.0
SYNC_CALLS, SYNC_LIMIT_S = 2_000, 2.0
#: section F: name of a size -> bytes, and how often it is sent at most
SIZES = {"1 KiB": (1 << 10, 500), "1 MiB": (1 << 20, 200), "100 MiB": (100 << 20, 15)}
#: section I: how often all are called; seconds over which idle ones are watched, and before that
FAN_OUTS, WATCH_S, SETTLE_S = 20, 20.0, 2.0
#: seconds for what the last start has left to do
PAUSE_S = 0.3

Figure = dict[str, float]


def time_calls(call: Callable[[], object], most: int = SYNC_CALLS, least: int = 100) -> list[float]:
    """Microseconds of each blocking call, warmed up; fewer than `most` if they take long."""
    for _ in range(max(1, most // 10)):
        call()
    gc.collect()
    samples: list[float] = []
    end = time.perf_counter() + SYNC_LIMIT_S
    while len(samples) < most and (time.perf_counter() < end or len(samples) < least):
        start = time.perf_counter()
        call()
        samples.append((time.perf_counter() - start) * 1e6)
    return samples


def sync_figure(call: Callable[[], object]) -> Figure:
    samples = time_calls(call)
    return {"p50_us": statistics.median(samples), "p99_us": statistics.quantiles(samples, n=100)[98]}


def payload_figure(call: Callable[[], object], most: int) -> Figure:
    return {"us": statistics.median(time_calls(call, most, least=3))}


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


def time_start(start: Start) -> float:
    """Milliseconds."""
    start.prepare()
    time.sleep(PAUSE_S)
    gc.collect()
    begin = time.perf_counter()
    end = start.run()
    took = (time.perf_counter() - begin) * 1e3
    if end:
        end()
    return took


def crowd_figure(crowd: Crowd) -> Figure:
    begin = time.perf_counter()
    crowd.start()
    found = {"wall_s": time.perf_counter() - begin}
    found["all_ms"] = statistics.median(time_calls(crowd.call_all, FAN_OUTS)) / 1e3
    time.sleep(SETTLE_S)
    found["pss_mib"] = processes.pss(crowd.processes()) / CROWD
    if crowd.keepers:
        found["keepers_percent"] = processes.busy_percent(crowd.keepers(), WATCH_S)
        found["crowd_percent"] = processes.busy_percent(crowd.processes(), WATCH_S / 4)
    return found


class Figures:
    """All figures of one peer: {"section|what|column": figure}. What failed is said on stderr and left out."""

    def __init__(self, peer: BasePeer, sections: str) -> None:
        self.peer = peer
        self.sections = sections
        self.found: dict[str, Figure] = {}

    def measure(self) -> dict[str, Figure]:
        for section, run in (
            ("A", self.calls),
            ("BCDE", self.bursts),
            ("F", self.payloads),
            ("GH", self.starts),
            # last: of some peers it leaves fifty processes
            ("I", self.crowds),
            ("J", self.costs),
        ):
            if set(section) & set(self.sections):
                run()
        return self.found

    def record(self, key: str, run: Callable[[], Figure], limit: int = LIMIT_S) -> None:
        signal.alarm(limit)
        try:
            self.found[key] = run()
        except Exception:  # noqa: BLE001  one figure must not end the round
            print(f"{key} failed", file=sys.stderr)
            traceback.print_exc()
        finally:
            signal.alarm(0)

    def calls(self) -> None:
        for what, call in self.peer.sync_calls().items():
            self.record(f"A|{what}|1", partial(sync_figure, call))

    def bursts(self) -> None:
        for burst in self.peer.bursts():
            if burst.section in self.sections:
                self.record(f"{burst.section}|{burst.what}|{burst.column}", partial(time_burst, burst))

    def payloads(self) -> None:
        for payload in self.peer.payloads():
            for name, (size, most) in SIZES.items():
                ways = {"argument": (payload.give, np.ones(size // 8)), "result": (payload.get, size)}
                for way, (call, value) in ways.items():
                    if call:
                        timed = partial(payload_figure, partial(call, value), most)
                        self.record(f"F|{payload.what}|{name} {way}", timed)

    def starts(self) -> None:
        """Their tries take turns, so that what one leaves to do has its time before the same comes again."""
        starts = [start for start in self.peer.starts() if start.section in self.sections]
        samples: dict[str, list[float]] = {f"{start.section}|{start.what}|1": [] for start in starts}
        for turn in range(max((start.tries for start in starts), default=0)):
            for start in (one for one in starts if turn < one.tries):
                key = f"{start.section}|{start.what}|1"
                self.record(key, partial(self.one_start, start, samples[key]))

    @staticmethod
    def one_start(start: Start, samples: list[float]) -> Figure:
        samples.append(time_start(start))
        return {"ms": statistics.median(samples)}

    def crowds(self) -> None:
        for crowd in self.peer.crowds():
            self.record(f"I|{crowd.what}|{CROWD}", partial(crowd_figure, crowd), CROWD_LIMIT_S)

    def costs(self) -> None:
        for what, cost in self.peer.costs().items():
            self.found[f"J|{what}|1"] = {"us": cost}


def too_long(*_: object) -> None:
    raise TimeoutError("no figure in the time that it may take")


def main(name: str, sections: str, result: str) -> None:
    """Writes what it measured to the file `result`."""
    signal.signal(signal.SIGALRM, too_long)
    peer: BasePeer = importlib.import_module(PEERS[name][0]).Peer()
    peer.setup()
    try:
        Path(result).write_text(json.dumps(Figures(peer, sections).measure()), encoding="utf-8")
    finally:
        peer.teardown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a peer leaves behind must not keep the round


if __name__ == "__main__":
    main(*sys.argv[1:])
