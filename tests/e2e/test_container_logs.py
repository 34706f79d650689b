"""The log of a container, followed while it lives."""

from __future__ import annotations

import queue
import threading

import modal_nb as modal
from modal_nb.client import logs
from modal_nb.container.log_keeper import CUT, LARGEST
from tests.e2e.printers import Printer, app


class Follower(threading.Thread):
    """Reads as a terminal does; ``lines`` gets each line, and None behind the last."""

    def __init__(self, container, count=None):
        super().__init__(daemon=True)
        self.lines = queue.SimpleQueue()
        self._source = logs.follow(container, count)
        self.start()

    def run(self):
        for line in self._source:
            self.lines.put(line)
        self.lines.put(None)

    def until(self, wanted):
        """The lines up to this one."""
        found = []
        while (line := self.lines.get(timeout=30)) != wanted:
            found.append(line)
        return found


def test_a_log_is_followed_until_its_container_ends(home):
    with app.run():
        printer = Printer()
        printer.say.remote("first")
        (container,) = home.ids("Printer")
        whole = Follower(container)
        assert whole.until("first") == ["entered"]
        # what was printed is in the log a moment later: only now is it the last line there
        end = Follower(container, 1)
        assert end.until("first") == []
        printer.say.remote("second")
        assert whole.until("second") == end.until("second") == []
        printer.in_many_ways.remote()
        printer.below_python.remote()
    assert whole.until(None) == end.until(None)
    assert logs.tail(logs.find(container), 3) == ["to the descriptor", "a child", "a fork"]
    assert list(logs.follow(container))[:2] == ["entered", "first"]


def test_a_flood_is_followed_in_order_and_the_log_stays_in_bounds(home):
    with app.run():
        printer = Printer()
        printer.say.remote("begin")
        (container,) = home.ids("Printer")
        follower = Follower(container)
        follower.until("begin")
        printer.flood.remote(150_000, "flood")
        printer.say.remote("end")
        numbers = [int(line.split()[1]) for line in follower.until("end") if line.startswith("flood")]
    assert numbers == sorted(set(numbers))
    log = logs.find(container)
    assert log.stat().st_size <= LARGEST + len(CUT)
    assert next(logs.read(log)) == CUT.decode().strip()
    assert follower.until(None) == []


def test_what_a_call_prints_stands_in_the_log_as_ever(home):
    with app.run():
        call = Printer().say.spawn("in both")
        call.get()
        (container,) = home.ids("Printer")
        found = Follower(container).until("in both")
    assert found == ["entered"]
    assert list(modal.FunctionCall.from_id(call.object_id).logs()) == ["in both"]
