"""Whatever ends in the middle of a get or put: no item is lost, none is doubled."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.exception import NotFoundError
from tests.chaos.storm import kill
from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.notebook import CellFailed, Notebook


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_IDLE_EXIT": "600"}


@pytest.fixture
def line(home, request):
    name = request.node.name[:64].replace("[", "-").rstrip("]")
    yield modal.Queue.from_name(name, create_if_missing=True).hydrate()
    modal.Queue.objects.delete(name)


# -- interrupts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("get", ["line.get()", "await line.get.aio()"])
def test_an_interrupt_ends_a_waiting_cell_and_the_item_goes_to_the_next_one(tmp_path, line, get):
    with Notebook(tmp_path) as notebook:
        notebook.run(f"import modal_nb as modal\nline = modal.Queue.from_name({line.name!r})\nline.len()")
        asked = notebook.begin_for_interrupt(get)
        notebook.interrupt()
        with pytest.raises(CellFailed) as caught:
            notebook.finish(asked)
        assert caught.value.name in ("KeyboardInterrupt", "CancelledError")
        line.put("for the next one")
        assert notebook.value("line.get(timeout=30)") == "for the next one"


PRESSED = """
import os, random, signal, sys, threading, time
import modal_nb as modal
from modal_nb.client import interrupts

line, dice = modal.Queue.from_name({name!r}), random.Random(5)
over = threading.Event()

def press(number, frame):
    # outside of it the item is the caller's, who may lose it as any other value
    while frame is not None:
        if frame.f_code is interrupts.or_undo.__code__:
            raise KeyboardInterrupt
        frame = frame.f_back

def press_again_and_again():
    while not over.is_set():
        time.sleep(dice.random() * 0.01)
        os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, press)
line.len()
presser = threading.Thread(target=press_again_and_again)
presser.start()
taken, interrupted = [], 0
while len(taken) < {count}:
    try:
        taken.append(line.get())
    except KeyboardInterrupt:
        interrupted += 1
over.set()
presser.join()
print(taken == list(range({count})), interrupted > 10, flush=True)
"""


def test_items_that_are_taken_under_interrupts_come_once_and_in_order(tmp_path, line):
    with script.start(tmp_path, PRESSED.format(name=line.name, count=300)) as process:
        for number in range(300):
            line.put(number)
        printed, errors = process.communicate(timeout=120)
    assert printed == "True True\n", errors
    assert line.len() == 0


# -- takers -----------------------------------------------------------------------------------------------------------

WAITING = """
import modal_nb as modal
line = modal.Queue.from_name({name!r})
print(line.len(), flush=True)
print(line.get(), flush=True)
"""


def test_a_taker_that_is_killed_while_it_waits_takes_nothing_along(home, tmp_path, line):
    with script.start(tmp_path, WAITING.format(name=line.name)) as process:
        assert process.stdout.readline() == "0\n"
        clients = home.status().clients
        process.kill()
    until(lambda: home.status().clients < clients)
    line.put("left")
    assert line.get(timeout=30) == "left"


OWNER = """
import pickle, signal, modal_nb as modal
with modal.Queue.ephemeral() as line:
    print(pickle.dumps(line).hex(), flush=True)
    signal.pause()
"""


def test_who_waits_for_an_ephemeral_one_is_told_when_its_owner_was_killed(tmp_path):
    with script.start(tmp_path, OWNER) as process, ThreadPoolExecutor(1) as threads:
        line = pickle.loads(bytes.fromhex(process.stdout.readline()))
        waiting = threads.submit(line.get)
        assert line.len() == 0
        process.kill()
        with pytest.raises(NotFoundError, match="the process that runs that"):
            waiting.result()


# -- the supervisor ---------------------------------------------------------------------------------------------------


def test_who_waits_when_the_supervisor_is_killed_goes_on_waiting(home, line):
    line.put("first")
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(lambda: line.get_many(1)[0]) for _ in range(3)]
        until(lambda: sum(one.done() for one in waiting) == 1)
        for number in range(2):
            kill(home.supervisor())
            until(lambda: launcher.find(home.places))
            line.put(number)
        found = {one.result() for one in waiting}
    assert found == {"first", 0, 1}


def test_kills_under_load_lose_and_double_nothing(home, line):
    count, taken = 600, []

    def put(start):
        for number in range(start, count, 2):
            line.put(number)

    def take():
        while (item := line.get()) is not None:
            taken.append(item)

    takers = [threading.Thread(target=take) for _ in range(3)]
    putters = [threading.Thread(target=put, args=(start,)) for start in range(2)]
    for thread in takers + putters:
        thread.start()
    for share in (100, 200, 300, 400):
        until(lambda share=share: len(taken) >= share)
        kill(home.supervisor())
    for putter in putters:
        putter.join()
    line.put_many([None] * 3)
    for taker in takers:
        taker.join()
    assert sorted(taken) == list(range(count))


def test_everything_that_was_put_is_there_after_a_kill_in_its_order(home, line):
    for number in range(20):
        line.put(number)
    line.put("other", partition="other")
    kill(home.supervisor())
    assert [*line.iterate()] == line.get_many(100) == list(range(20))
    assert line.get(partition="other") == "other"
