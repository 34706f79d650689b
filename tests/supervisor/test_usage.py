"""Memory and processor time of a process tree."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from modal_nb.supervisor.usage import Meter
from tests.e2e.home import until

EATER = "x = bytearray(64 << 20); print('there', flush=True)\nwhile True: pass"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {EATER!r}], start_new_session=True)
child.wait()
"""


@pytest.fixture
def tree():
    process = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    children = psutil.Process(process.pid).children(recursive=True)
    yield process.pid
    for one in [*children, process]:
        one.kill()
        one.wait()
    process.stdout.close()


def test_the_whole_tree_counts(tree):
    meter = Meter()
    ((memory, cores),) = meter.sample({5: tree}).values()
    assert 64 <= memory < 160
    assert cores is None

    def busy():
        time.sleep(0.05)
        ((_, cores),) = meter.sample({5: tree}).values()
        return cores

    assert until(busy) > 0


def test_what_has_ended_is_left_out(tree):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert list(Meter().sample({5: tree, 6: process.pid})) == [5]


def test_a_tree_that_was_not_sampled_for_a_while_starts_anew(tree):
    meter = Meter()
    meter.sample({5: tree})
    meter.sample({})
    assert meter.sample({5: tree})[5][1] is None
