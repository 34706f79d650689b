"""Plays the rounds: each (round, peer) is a process of its own, and the order rotates.

A slow drift of the machine then falls on all peers alike, and a ratio is taken within a round only.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import psutil

from benchmarks.measure import Figure
from benchmarks.peers.peer import PEERS
from benchmarks.processes import MARK, marked

Round = dict[str, Figure]
#: a peer's process may take so long, in seconds
LIMIT_S = 400
#: a container's matrix products are its own work, whoever starts it
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
ROOT = Path(__file__).resolve().parents[1]


def play(peers: Sequence[str], rounds: int, sections: str) -> Iterator[Round]:
    """One dict of figures a round; a peer that has nothing for these sections is left out."""
    asked = [peer for peer in peers if set(PEERS[peer][1]) & set(sections)]
    for number in range(rounds):
        shift = number % len(asked)
        figures: Round = {}
        for peer in [*asked[shift:], *asked[:shift]]:
            began = time.monotonic()
            figures |= one_peer(peer, sections)
            took = time.monotonic() - began
            print(f"round {number + 1} of {rounds}: {peer}, {took:.0f} s", file=sys.stderr, flush=True)
        yield figures


def one_peer(peer: str, sections: str) -> Round:
    # a short folder: the path of a Unix socket holds 107 bytes
    with tempfile.TemporaryDirectory(prefix="mnb", ignore_cleanup_errors=True) as scratch:
        result, log = Path(scratch, "result.json"), Path(scratch, "log")
        with log.open("wb") as sink:
            run_and_sweep(
                [sys.executable, "-m", "benchmarks.measure", peer, sections, str(result)], scratch, sink
            )
        complaint = log.read_text(errors="replace").strip()
        if complaint:
            print(f"{peer}:\n{complaint[-3000:]}", file=sys.stderr)
        return json.loads(result.read_text()) if result.exists() else {}


def run_and_sweep(command: list[str], scratch: str, sink: IO[bytes]) -> None:
    mark = secrets.token_hex(8)
    ours = {MARK: mark, "MODAL_NB_HOME": str(Path(scratch, "home")), "TMPDIR": scratch}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, **ours},
        stdin=subprocess.DEVNULL,
        stdout=sink,
        stderr=sink,
    )
    try:
        process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        sink.write(f"ended after {LIMIT_S} s".encode())
    finally:
        sweep(mark)
        process.wait()


def sweep(mark: str) -> None:
    """End what this round's peer has left, daemons too: by its mark, so that nothing else is touched."""
    for process in marked(mark):
        with contextlib.suppress(psutil.Error):
            process.kill()
