"""The pushing thread: who has something to say is called soon, not at once again, and never in its own thread."""

from __future__ import annotations

import queue
import threading
import time

from modal_nb.views.pushing import PUSH_EVERY, Pusher


class Talker:
    def __init__(self, *agains, fails=False):
        self.calls: queue.Queue[tuple[float, str]] = queue.Queue()
        self.agains, self.fails = list(agains), fails

    def push(self):
        self.calls.put((time.monotonic(), threading.current_thread().name))
        if self.fails:
            raise RuntimeError("a view is broken")
        return self.agains.pop(0) if self.agains else None


def test_it_is_called_on_the_pushing_thread():
    pusher, talker = Pusher(), Talker()
    pusher.soon(talker)
    assert talker.calls.get(timeout=10)[1] == "modal_nb-panels"


def test_many_words_are_one_push_and_the_next_comes_not_before_its_time():
    pusher, talker = Pusher(), Talker()
    pusher.soon(talker)
    first, _ = talker.calls.get(timeout=10)
    for _ in range(100):
        pusher.soon(talker)
    second, _ = talker.calls.get(timeout=10)
    assert second - first >= PUSH_EVERY * 0.99
    pusher.soon(talker)
    third, _ = talker.calls.get(timeout=10)
    assert third - second >= PUSH_EVERY * 0.99
    assert talker.calls.empty()


def test_it_is_called_again_when_it_says_so():
    pusher, talker = Pusher(), Talker(0.3)
    pusher.soon(talker)
    first, _ = talker.calls.get(timeout=10)
    assert talker.calls.get(timeout=10)[0] - first >= 0.29


def test_one_that_fails_does_not_stop_the_others(caplog):
    pusher, broken, talker = Pusher(), Talker(fails=True), Talker()
    pusher.soon(broken)
    broken.calls.get(timeout=10)
    pusher.soon(talker)
    talker.calls.get(timeout=10)
    assert "a view is broken" in caplog.text


def test_a_closed_one_is_not_called_any_more():
    pusher, closed, talker = Pusher(), Talker(), Talker()
    pusher.soon(closed, 0.2)
    pusher.forget(closed)
    pusher.soon(talker, 0.4)
    talker.calls.get(timeout=10)
    assert closed.calls.empty()
