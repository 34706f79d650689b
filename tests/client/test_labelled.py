"""Lines of several containers in one cell: each says whose it is, and none is torn."""

from __future__ import annotations

from modal_nb.client.labelled import Labelled


def written(*said):
    """What stands in the cell after these (container, stream, text)."""
    labelled = Labelled()
    return "".join(text for one in said for _, text in labelled.text(*one))


def test_one_container_needs_no_label():
    assert written(("ta-1", "stdout", "a\nb"), ("ta-1", "stdout", "c\n")) == "a\nbc\n"


def test_from_the_second_one_on_each_line_says_whose_it_is():
    said = ("ta-1", "stdout", "a\n"), ("ta-2", "stdout", "b\n"), ("ta-1", "stdout", "c\nd\n")
    assert written(*said) == "a\n(ta-2) b\n(ta-1) c\n(ta-1) d\n"


def test_an_open_line_of_somebody_else_is_ended_first():
    assert written(("ta-1", "stdout", "a"), ("ta-2", "stdout", "b\n")) == "a\n(ta-2) b\n"


def test_a_line_that_comes_in_pieces_has_one_label():
    said = ("ta-1", "stdout", "\n"), ("ta-2", "stdout", "one "), ("ta-2", "stdout", "line\n")
    assert written(*said) == "\n(ta-2) one line\n"


def test_a_progress_bar_that_writes_its_line_anew_keeps_its_label():
    said = ("ta-1", "stderr", "\n"), ("ta-2", "stderr", "\r 10%"), ("ta-2", "stderr", "\r 20%")
    assert written(*said) == "\n\r(ta-2)  10%\r(ta-2)  20%"


def test_only_ends_of_lines_end_lines():
    said = ("ta-1", "stdout", "\n"), ("ta-2", "stdout", "a\u2028b\x0cc\r\n")
    assert written(*said) == "\n(ta-2) a\u2028b\x0cc\r\n"


def test_what_nobody_said_has_no_label():
    said = ("ta-1", "stdout", "a\n"), ("ta-2", "stdout", "b\n"), ("", "stderr", "a note\n")
    assert written(*said).endswith("a note\n")
    assert "() " not in written(*said)


def test_a_display_among_several_is_announced_by_its_container():
    labelled = Labelled()
    labelled.text("ta-1", "stdout", "open line")
    assert labelled.display("ta-2", "display_data") == [("stdout", "\n"), ("stdout", "(ta-2)\n")]
    assert labelled.display("ta-2", "update_display_data") == []
