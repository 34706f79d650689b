"""What gathers on a screen: shown in order, bounded, and shown before a result goes on."""

from __future__ import annotations

import contextvars
import io
import sys
import threading

from modal_nb.client import screens
from modal_nb.client.screens import Piece, Screen, output
from modal_nb.client.surfaces import TerminalSurface
from modal_nb.protocol.output import Out


class Page:
    """A surface that remembers."""

    out, interactive = Out.RICH, True

    def __init__(self):
        self.context = contextvars.copy_context()
        self.shown = []

    def write(self, name, text):
        self.shown.append((name, text))

    def show(self, msg_type, data, metadata, buffers):
        self.shown.append((msg_type, data))

    def board(self, key, text, html, *, last):
        self.shown.append(("board", text))


def text(words, container="ta-1", name="stdout"):
    return Piece(container, "stream", {"name": name, "text": words}, {}, [])


def settled(screen, *pieces):
    for piece in pieces:
        screen.add(piece)
    output.settle()
    return screen.surface.shown


def test_text_and_displays_keep_their_order():
    shown = settled(Screen(Page()), text("a\n"), Piece("ta-1", "display_data", {"n": 1}, {}, []), text("b\n"))
    assert [what for _, what in shown] == ["a\n", {"n": 1}, "b\n"]


def test_a_flood_is_cut_and_says_so():
    screen = Screen(Page())
    settled(screen, text("x" * 10_000_000))
    assert sum(len(words) for _, words in screen.surface.shown) < 1_000_000
    shown = settled(screen, text("y" * 1_000_000))
    assert any("left out" in words and "call.logs()" in words for _, words in shown)


def test_who_waits_sees_all_that_came_before():
    page = Page()
    screen = Screen(page)
    for number in range(1000):
        screen.add(text(f"{number}\n"))
    output.settle()
    assert "".join(words for _, words in page.shown) == "".join(f"{number}\n" for number in range(1000))


def test_a_surface_that_breaks_stops_nobody(capsys):
    class Broken(Page):
        def write(self, name, text):
            raise ValueError("I/O operation on closed file")

    settled(Screen(Broken()), text("a"))
    assert settled(Screen(Page()), text("b")) == [("stdout", "b")]


def test_a_terminal_gets_colours_and_nothing_else_that_it_would_obey(monkeypatch):
    page = io.StringIO()
    monkeypatch.setattr(sys, "stdout", page)
    TerminalSurface().write("stdout", "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J\rbar\nnext")
    assert page.getvalue().startswith("\x1b[31mred\x1b[0m ")
    assert "\x1b]" not in page.getvalue()
    assert "\x1b[2J" not in page.getvalue()


def test_a_terminal_shows_the_plain_text_of_a_display(monkeypatch):
    page = io.StringIO()
    monkeypatch.setattr(sys, "stdout", page)
    TerminalSurface().show("display_data", {"data": {"text/plain": "<Figure>", "text/html": "<b>"}}, {}, ())
    assert page.getvalue() == "<Figure>\n"


def test_a_script_shows_only_what_it_asked_for():
    assert screens.here() is None
    with screens.enable_output(show_progress=False):
        assert screens.here().out is Out.TEXT
        assert not screens.progress
        found = []
        thread = threading.Thread(target=lambda: found.append(screens.here()))
        thread.start()
        thread.join()
        assert found == [screens.here()]
    assert screens.here() is None
    assert screens.progress


def test_the_last_line_of_a_terminal_is_written_anew_and_in_the_end_stays(monkeypatch):
    page = io.StringIO()
    monkeypatch.setattr(sys, "stderr", page)
    terminal = TerminalSurface()
    terminal.board("one", "1 of 2", "", last=False)
    terminal.board("one", "2 of 2", "", last=False)
    terminal.board("one", "2 done", "", last=True)
    assert page.getvalue() == "1 of 2\r\x1b[2K2 of 2\r\x1b[2K2 done\n"
