"""Of a class whose handle travels the supervisor is told first, whichever thread sends the message."""

from __future__ import annotations

import threading

import pytest

import modal_nb as modal
from modal_nb.client import classes, references
from modal_nb.runtime.payload import dumps_arguments

app = modal.App("travels")


@app.cls()
class Travels:
    @modal.method()
    def use(self): ...


class Session:
    """Answers when the test lets it."""

    def __init__(self):
        self.asked, self.answer = threading.Event(), threading.Event()
        self.times = 0

    def ask(self, *_):
        self.times += 1
        self.asked.set()
        assert self.answer.wait(30)


class Run:
    number = 1

    def __init__(self):
        self.session = Session()
        self.declared = {}


@pytest.fixture
def run():
    references.take_untold()
    yield Run()
    references.take_untold()


def send(run, sent):
    """As every call does it."""
    dumps_arguments((Travels(),), {}, method="use")
    if references.any_untold():
        classes.tell(run)
    sent.append(run.session.answer.is_set())


def test_a_message_waits_for_what_another_thread_tells(run):
    sent = []
    threads = [threading.Thread(target=send, args=(run, sent)) for _ in range(4)]
    threads[0].start()
    assert run.session.asked.wait(30)
    assert references.any_untold(), "nobody has been told yet"
    for thread in threads[1:]:
        thread.start()
    run.session.answer.set()
    for thread in threads:
        thread.join()
    assert sent == [True] * 4
    assert run.session.times == 1
    assert not references.any_untold()


def test_what_cannot_be_told_of_is_in_nobody_elses_way(run, monkeypatch):
    def fails(*_):
        raise TypeError("no class that travels")

    monkeypatch.setattr(classes, "record_here", fails)
    with pytest.raises(TypeError, match="no class that travels"):
        send(run, [])
    assert not references.any_untold()
