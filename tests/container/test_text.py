"""Text and displays of one call are bounded, and what is cut is what people miss least."""

from __future__ import annotations

from modal_nb.container.backlog import BURST_BYTES, BURST_MESSAGES, MOST, Backlog, Piece
from modal_nb.container.text import BURST, RATE, Text, left_out


def piece(msg_type="display_data", size=100, **data):
    made = Piece(msg_type, data, {}, [], "in-1")
    made.size = size
    return made


def update(comm, **state):
    return piece("comm_msg", comm_id=comm, data={"method": "update", "state": state, "buffer_paths": []})


def spent():
    """One that has shown all it may at once."""
    backlog = Backlog(0.0)
    for number in range(BURST_MESSAGES):
        backlog.add(piece(number=number))
        assert [one.data["number"] for one in backlog.take(0.0)] == [number]
    return backlog


def test_streams_keep_their_order_and_characters_stay_whole():
    text = Text(0.0)
    text.add(1, "a€".encode()[:2])
    assert text.take(0.0) == [("stdout", "a")]
    text.add(2, b"err")
    text.add(1, "a€".encode()[2:])
    assert text.take(0.0) == [("stderr", "err"), ("stdout", "€")]


def test_what_is_over_is_left_out_and_told_once_there_is_room():
    text = Text(0.0)
    text.add(1, b"x" * BURST)
    text.add(2, b"y" * 1000)
    assert text.take(0.0) == [("stdout", "x" * BURST)]
    text.add(1, b"z" * 500)
    assert text.take(0.0) == []
    assert text.left_out == 1500
    text.add(1, b"on\n")
    assert text.take(1.0) == [("stderr", left_out(1500)), ("stdout", "on\n")]
    assert text.left_out == 0


def test_the_end_of_an_input_tells_it_at_once():
    text = Text(0.0)
    text.add(1, b"x" * (BURST + 7))
    assert text.take(0.0, final=True) == [("stdout", "x" * BURST), ("stderr", left_out(7))]


def test_of_a_progress_bar_the_newest_line_is_kept():
    text = Text(0.0)
    text.add(1, b"x" * BURST)
    text.take(0.0)
    text.add(2, b"\r10%\r20%")
    assert text.take(0.0) == []
    assert text.take(0.0, final=True) == [("stderr", left_out(8)), ("stderr", "\r20%")]


def test_text_flows_on_at_its_rate():
    text = Text(0.0)
    text.add(1, b"x" * BURST)
    text.take(0.0)
    text.add(1, b"a" * RATE + b"b" * RATE)
    ((_, cut),) = text.take(1.0)
    assert cut == "b" * RATE


def test_what_has_no_room_waits_in_order():
    backlog = spent()
    backlog.add(piece(name="late"))
    backlog.add(piece("comm_open", name="widget"))
    assert backlog.take(0.0) == []
    assert [one.data["name"] for one in backlog.take(1.0)] == ["late", "widget"]
    assert not backlog.behind


def test_newer_updates_take_the_place_of_older_ones():
    backlog = spent()
    backlog.add(update("one", a=1, b=1))
    backlog.add(update("other", a=5))
    backlog.add(update("one", b=2))
    for number in (1, 2):
        backlog.add(piece("update_display_data", data={"n": number}, transient={"display_id": "live"}))
    found = [one.data["data"] for one in backlog.take(1.0)]
    assert [one.get("state") for one in found] == [{"a": 1, "b": 2}, {"a": 5}, None]
    assert found[-1] == {"n": 2}


def test_clearing_takes_what_waits_along_but_no_widgets():
    backlog = spent()
    backlog.add(piece())
    backlog.add(update("one", a=1))
    backlog.add(piece("clear_output", wait=True))
    assert [one.msg_type for one in backlog.take(1.0)] == ["comm_msg", "clear_output"]


def test_beyond_the_bound_displays_are_left_out_and_counted():
    backlog = spent()
    for number in range(MOST + 20):
        backlog.add(piece(number=number))
    assert len(backlog.take(2.0)) < MOST
    shown = backlog.take(10.0)
    assert shown[-1].data["text"].startswith("[modal_nb left out 20 displays here")


def test_one_large_display_passes_and_the_next_waits():
    backlog = Backlog(0.0)
    backlog.add(piece(size=2 * BURST_BYTES))
    assert len(backlog.take(0.0)) == 1
    backlog.add(piece(size=10))
    assert backlog.take(0.0) == []
    assert len(backlog.take(1.0)) == 1
