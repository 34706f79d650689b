"""Where an exception comes from: it is said on the exception, and goes where that goes."""

from __future__ import annotations

import copy
import json
import pickle
import threading
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from modal_nb.exception import ExecutionError
from modal_nb.runtime import whereabouts
from modal_nb.runtime.failures import dump_failure, load_failure
from modal_nb.runtime.whereabouts import Where
from tests.runtime.journeys import travel

INNER = Where("ct-1", 1, "in-a-1-0", "fc-a-1", "Inner.run", ("a line",))
OUTER = Where("ct-2", 2, "in-b-1-0", "fc-b-1")


class Stubborn(Exception):
    """Takes neither attributes nor notes."""

    def __setattr__(self, name, value):
        raise TypeError(name)

    def add_note(self, note):
        raise TypeError(note)


def left(error, where=OUTER):
    """The exception after it left this container."""
    content, frames = dump_failure(error)
    content["where"] = asdict(where)
    return load_failure(json.loads(json.dumps(content)), [bytes(frame) for frame in frames])


def test_nothing_is_said_of_what_was_raised_here():
    assert whereabouts.here() is None
    assert whereabouts.of(ValueError("x")) == ()
    assert not hasattr(travel(ValueError("x")), whereabouts.ATTRIBUTE)


def test_each_container_that_it_leaves_is_added_behind_the_others():
    error = ValueError("x")
    whereabouts.put(error, [INNER])
    assert whereabouts.of(left(error)) == (INNER, OUTER)
    assert whereabouts.of(left(ValueError("x"))) == (OUTER,)


def test_a_cause_keeps_its_own():
    error, cause = RuntimeError("x"), ValueError("y")
    whereabouts.put(cause, [INNER])
    error.__cause__ = cause
    back = left(error)
    assert whereabouts.of(back) == (OUTER,)
    assert whereabouts.of(back.__cause__) == (INNER,)


@pytest.mark.parametrize("way", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_it_goes_along_with_copies_and_pickles_and_needs_nothing_of_ours_there(way):
    error = left(ValueError("x"))
    error.add_note("a note")
    back = way(error)
    assert back.__notes__ == ["a note"]
    assert whereabouts.of(back) == (OUTER,)
    assert b"modal_nb.runtime" not in pickle.dumps(error)
    assert type(pickle.loads(pickle.dumps(OUTER))) is SimpleNamespace


def test_an_exception_that_cannot_travel_says_it_too():
    error = ValueError("x")
    error.lock = threading.Lock()
    whereabouts.put(error, [INNER])
    assert whereabouts.of(left(error)) == (INNER, OUTER)


def test_a_class_that_takes_no_attributes_says_it_all_the_same():
    assert whereabouts.of(left(Stubborn("x"))) == (OUTER,)


@pytest.mark.parametrize("where", [None, 3, {}, {"container": "ct-1", "unknown": 1}, [1]])
def test_what_makes_no_sense_spoils_nothing(where):
    content, frames = dump_failure(ValueError("x"))
    content["where"] = content["nodes"][0]["where"] = where
    back = load_failure(content, frames)
    assert type(back) is ValueError
    assert whereabouts.of(back) == ()
    assert type(load_failure({"where": where}, [])) is ExecutionError


def test_an_attribute_of_somebody_else_is_none():
    error = ValueError("x")
    for value in (3, "text", [1], [SimpleNamespace(container="ct-1")]):
        error.__modal_nb__ = value
        assert whereabouts.of(error) == ()


def test_the_chain_of_containers_is_bounded():
    error = ValueError("x")
    whereabouts.put(error, [INNER] * 100)
    assert len(whereabouts.of(error)) == 20
