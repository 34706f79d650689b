"""The notes of an exception from a container: what they say, and that they are only text."""

from __future__ import annotations

import pytest

from modal_nb.client import provenance
from modal_nb.runtime import whereabouts
from modal_nb.runtime.whereabouts import Where
from tests.views.hostile import STRINGS


def arrived(*printed):
    error = ValueError("x")
    whereabouts.put(error, [Where("ct-1", 1, "in-a-1-0", "fc-a-1", printed=printed)])
    return error


def noted(error, label="Model.run"):
    provenance.note(error, label)
    return error.__notes__


def test_one_that_printed_nothing_says_where_it_was_raised():
    error = arrived()
    assert noted(error) == ["Raised in ct-1 while running Model.run (in-a-1-0)."]
    assert whereabouts.of(error)[0].label == "Model.run"


def test_the_last_five_lines_follow():
    assert noted(arrived(*map(str, range(8)))) == [
        "Raised in ct-1 while running Model.run (in-a-1-0). It printed last:\n    3\n    4\n    5\n    6\n    7"
    ]


def test_it_is_said_once():
    error = arrived()
    noted(error)
    assert len(noted(error, "Another.method")) == 1


def test_what_it_came_through_is_said_behind():
    error = arrived()
    noted(error, "Inner.run")
    whereabouts.put(error, [*whereabouts.of(error), Where("ct-2", 2, "in-b-1-0")])
    assert noted(error, "Outer.run")[1:] == ["Came through Outer.run in ct-2 (in-b-1-0)."]


def test_an_exception_that_was_raised_here_gets_no_note():
    error = ValueError("x")
    provenance.note(error, "Model.run")
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize("hostile", STRINGS, ids=range(len(STRINGS)))
def test_printed_lines_are_inert_and_short(hostile):
    (note,) = noted(arrived(hostile))
    lines = note.split("\n")
    assert len(lines) <= 2
    assert all(len(line) <= 204 for line in lines[1:])
    assert not {letter for letter in note if ord(letter) < 32 or 126 < ord(letter) < 160} - {"\n", "\t"}
    assert "\u202e" not in note


def test_of_a_start_that_failed_what_its_log_had_before(tmp_path):
    (tmp_path / "ct-1.log").write_text(
        "one\nloading \x1b[31mweights\x1b[0m\nERROR the start failed\nTraceback\n"
    )
    error = LookupError("no weights")
    provenance.note_start(error, "Model", "ct-1", tmp_path)
    assert error.__notes__ == [
        "Raised while ct-1, a container of Model, started. It printed last:\n    one\n    loading weights"
    ]
    assert [one.container for one in whereabouts.of(error)] == ["ct-1"]


def test_a_start_without_a_log_is_told_without(tmp_path):
    error = LookupError("no weights")
    provenance.note_start(error, "Model", "ct-1", tmp_path)
    (tmp_path / "ct-2.log").write_text("the line that ends it is missing\n")
    provenance.note_start(error, "Model", "ct-2", tmp_path)
    assert error.__notes__ == [f"Raised while ct-{n}, a container of Model, started." for n in (1, 2)]
