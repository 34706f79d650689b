"""Exceptions that travel: themselves, their chain, their frames and source lines."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest

from modal_nb.exception import ExecutionError, SerializationError
from modal_nb.runtime import failures
from modal_nb.runtime.failures import dump_failure, load_failure
from tests.runtime.journeys import printed, raised, travel


class Plain(ValueError):
    pass


class Picky(Exception):
    """Cannot be rebuilt by calling it with its args."""

    def __init__(self, code, *, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code


class Lies(Exception):
    def __reduce__(self):
        return (dict, ())


class Holds(Exception):
    pass


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


def test_type_arguments_attributes_and_notes_come_back():
    def fail():
        error = Plain("bad", 3)
        error.extra = [1, 2]
        error.add_note("look here")
        raise error

    back = travel(raised(fail))
    assert type(back) is Plain
    assert back.args == ("bad", 3)
    assert back.extra == [1, 2]
    assert back.__notes__ == ["look here"]


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), OSError(2, "gone", "f"), StopIteration(4)]
)
def test_any_exception_travels(error):
    back = travel(error)
    assert type(back) is type(error)
    assert back.args == error.args


def test_an_os_error_keeps_its_number():
    assert travel(raised(Path("/no/such/file").read_text)).errno == 2


def test_the_remote_frames_are_in_the_traceback_with_lines_and_underlines():
    def inner(x):
        return 1 / x + 2

    def outer():
        return inner(0)

    error = raised(outer)
    there = printed(error)
    back = travel(error)
    here = printed(back)
    assert here == there
    assert "in inner\n    return 1 / x + 2\n           ~~^~~\n" in here


def test_local_frames_come_before_the_remote_ones():
    def remote():
        raise Plain("x")

    back = travel(raised(remote))

    def local_caller():
        raise back

    text = printed(raised(local_caller))
    assert text.index("in local_caller") < text.index("in remote")


def test_cause_and_context_come_back():
    def cause():
        try:
            {}["a"]
        except KeyError as error:
            raise Plain("because") from error

    def context():
        try:
            cause()
        except Plain:
            raise TypeError("while")  # noqa: B904

    error = raised(context)
    back = travel(error)
    assert isinstance(back.__context__, Plain)
    assert isinstance(back.__context__.__cause__, KeyError)
    assert printed(back) == printed(error)
    assert "direct cause" in printed(back)


def test_from_none_stays_hidden():
    def fail():
        try:
            {}["a"]
        except KeyError:
            raise Plain("clean") from None

    text = printed(travel(raised(fail)))
    assert "KeyError" not in text


def test_a_chain_may_be_a_circle():
    first, second = Plain("a"), Plain("b")
    first.__context__, second.__context__ = second, first
    back = travel(first)
    assert back.__context__.__context__ is back


def test_groups_keep_the_frames_of_their_members():
    def member():
        raise Plain("m")

    def fail():
        raise ExceptionGroup("several", [raised(member), ExceptionGroup("in", [raised(lambda: 1 / 0)])])

    error = raised(fail)
    back = travel(error)
    assert printed(back) == printed(error)
    assert "in member" in printed(back)


def test_an_exception_with_its_own_init_is_rebuilt_from_its_parts():
    error = raised(lambda: (_ for _ in ()).throw(Picky(7, reason="why")))
    back = travel(error)
    assert type(back) is Picky
    assert (back.args, back.code, str(back)) == (("7: why",), 7, "7: why")


def test_a_lying_reduce_is_not_believed():
    back = travel(Lies("truth"))
    assert type(back) is Lies
    assert back.args == ("truth",)


def test_what_cannot_be_pickled_becomes_a_serialization_error_with_repr_and_frames():
    def fail():
        error = Holds("holding", 1)
        error.lock = threading.Lock()
        raise error

    back = travel(raised(fail))
    assert type(back) is SerializationError
    assert "Holds('holding', 1)" in str(back)
    assert "_thread.lock" in str(back)
    assert "in fail" in printed(back)


def test_an_unpicklable_cause_does_not_spoil_the_exception():
    def fail():
        cause = Holds("c")
        cause.lock = threading.Lock()
        raise Plain("main") from cause

    back = travel(raised(fail))
    assert type(back) is Plain
    assert type(back.__cause__) is SerializationError


def test_a_class_that_is_unknown_here_becomes_an_execution_error_with_the_remote_traceback(monkeypatch):
    def fail():
        raise Plain("strange")

    content, frames = dump_failure(raised(fail))
    monkeypatch.delattr(sys.modules[__name__], "Plain")
    back = load_failure(content, frames)
    assert type(back) is ExecutionError
    assert "test_failures.Plain: strange" in str(back)
    assert 'raise Plain("strange")' in str(back)
    assert "in fail" in printed(back)


def test_a_huge_message_is_cut_and_says_so():
    back = travel(raised(lambda: (_ for _ in ()).throw(Plain("x" * 5_000_000))))
    assert type(back) is Plain
    assert len(str(back)) < 100_000
    assert "[cut: 5000000 characters" in str(back)


def test_a_huge_exception_of_other_data_is_described():
    error = Plain(list(range(500_000)))
    content, frames = dump_failure(error)
    assert sum(map(len, frames)) < 200_000
    assert len(json.dumps(content)) < 200_000
    assert type(load_failure(content, frames)) is SerializationError


def test_an_exception_that_cannot_be_printed_travels():
    back = travel(raised(lambda: (_ for _ in ()).throw(Mute("args"))))
    assert type(back) is Mute


def test_a_deep_recursion_is_shortened():
    def deep(n):
        return deep(n + 1)

    error = raised(lambda: deep(0))
    content, frames = dump_failure(error)
    assert len(content["nodes"][0]["frames"]) <= 201
    back = load_failure(content, frames)
    assert type(back) is RecursionError
    assert "frames" in printed(back)


@pytest.mark.parametrize(
    "content", [{}, {"nodes": [{}]}, {"nodes": "x", "sources": 3}, [], None, {"nodes": []}]
)
def test_damaged_content_gives_an_execution_error(content):
    assert type(load_failure(content, [b"junk"])) is ExecutionError


def test_frames_of_modal_nb_are_not_shown():
    def fail():
        failures._thaw([b"junk"])

    content, _ = dump_failure(raised(fail))
    names = [frame[1] for frame in content["nodes"][0]["frames"]]
    assert "fail" in names
    assert "_thaw" not in names
    assert "in _thaw" not in content["traceback"]
