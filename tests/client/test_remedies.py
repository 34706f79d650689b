"""What to do about a container that died."""

from __future__ import annotations

import re
import signal

import pytest

from modal_nb.client.remedies import memory, remedy
from modal_nb.protocol.messages import Failure

MIB = 2**20


def failure(kind, **more):
    return Failure(kind="crashed", cause_kind=kind, **more)


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (failure("exited", code=3), r"exit code 3.*os\._exit.*raise an exception"),
        (
            failure("signalled", signal=signal.SIGKILL, peak=99 * MIB),
            r"SIGKILL.*99 MiB.*dmesg.*max_containers",
        ),
        (failure("signalled", signal=signal.SIGKILL), r"SIGKILL.*when memory runs out; the system's log"),
        (failure("signalled", signal=signal.SIGSEGV), r"compiled code.*PYTHONFAULTHANDLER"),
        (failure("signalled", signal=signal.SIGABRT), r"compiled code"),
        (failure("signalled", signal=signal.SIGTERM), r"who sent it"),
        (failure("out_of_memory"), r"give it less.*`memory`"),
    ],
)
def test_each_end_has_its_sentence(end, says):
    text = remedy(end)
    assert text.startswith("What to do: ")
    assert text.endswith(".")
    assert re.search(says, text)


@pytest.mark.parametrize("kind", ["", "killed", "start_failed", "stopped", "unknown"])
def test_where_nothing_is_known_nothing_is_said(kind):
    assert remedy(failure(kind)) == ""


def test_peak_and_limit_are_named_where_memory_ran_out():
    end = failure("out_of_memory", peak=290 * MIB, limit=300 * MIB)
    assert memory(end) == (
        "\n  its biggest process held 290 MiB at most, of 300 MiB that it and what runs beside it may have"
    )
    assert memory(failure("out_of_memory", peak=MIB)) == "\n  its biggest process held 1 MiB at most"
    assert memory(failure("out_of_memory")) == ""
    assert memory(failure("signalled", peak=MIB, limit=MIB)) == ""
