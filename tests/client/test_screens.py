"""What gathers on a screen: shown in order, bounded, and shown before a result goes on."""

from __future__ import annotations

import contextvars
import io
import os
import subprocess
import sys
import threading

from modal_nb.client import questions, screens
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


def test_what_comes_behind_a_piece_that_breaks_is_shown():
    class Broken(Page):
        def show(self, msg_type, data, metadata, buffers):
            raise ValueError("not JSON")

    broken = Piece("ta-1", "display_data", {}, {}, [])
    assert settled(Screen(Broken()), text("a"), broken, text("b")) == [("stdout", "a"), ("stdout", "b")]


def test_interrupts_of_who_waits_for_it_never_stop_the_output():
    """In a process of its own: an interrupt that comes in the middle of taking a lock would stop it for good."""
    interrupted = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED], capture_output=True, text=True, timeout=60, check=False
    )
    assert interrupted.stdout.strip() == "shown", interrupted.stderr


_INTERRUPTED = """
import os, random, signal, threading, time
from modal_nb.client.screens import Screen, output
from tests.client.test_screens import Page, text

screen, main, armed = Screen(Page()), threading.main_thread().ident, False

def interrupt():
    while True:
        time.sleep(random.random() * 0.0004)
        if armed:
            signal.pthread_kill(main, signal.SIGINT)

def feed():
    while True:
        screen.add(text("x"))
        time.sleep(0.0002)

for code in (interrupt, feed):
    threading.Thread(target=code, daemon=True).start()
caught = 0
while caught < 15_000:
    try:
        armed = True
        for _ in range(50):
            screen.add(text("x"))
            output.settle()
        armed = False
    except KeyboardInterrupt:
        caught += 1
signal.signal(signal.SIGINT, signal.SIG_IGN)
ending = threading.Thread(target=lambda: (screen.add(text("end")), output.settle()), daemon=True)
ending.start()
ending.join(20)
print("shown" if any("end" in words for _, words in screen.surface.shown) else "not shown", flush=True)
os._exit(0)
"""


def test_a_forked_child_shows_its_own_output_and_not_what_its_parent_has_to_show():
    first, going_on = threading.Event(), threading.Event()

    class Slow(Page):
        def write(self, name, text):
            first.set()
            going_on.wait(10)
            super().write(name, text)

    Screen(slow := Slow()).add(text("parent's"))
    first.wait(10)
    child = os.fork()
    if not child:
        shown = settled(Screen(Page()), text("child's"))
        os._exit(0 if shown == [("stdout", "child's")] and not questions.output.pending else 1)
    going_on.set()
    assert os.waitpid(child, 0)[1] == 0
    output.settle()
    assert slow.shown == [("stdout", "parent's")]


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
