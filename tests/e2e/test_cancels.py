"""Cancels at every moment of an input's life: each hits its own input and nothing else."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.exception import InputCancelledError
from modal_nb.protocol import messages as ms
from tests.e2e.home import until

app = modal.App("cancels")

CANCELS = 1000
BYSTANDERS = 400
#: calls on their way at a time; containers are fewer, so that some wait
AT_A_TIME = 16
#: where the input's code stops until it is cancelled; else a cancel comes after a random time, or at once
HELD = ("first", "last", "packing")


class Result:
    """A result that takes its time to be packed."""

    def __init__(self, owner, name, hold):
        self.owner, self.name, self.hold = owner, name, hold

    def __reduce__(self):
        self.owner.reach("packing", self.name, self.hold)
        return str, (f"result of {self.name}",)


@app.cls(max_containers=3, scaledown_window=60)
class Lively:
    """Writes down each moment, and tells the test when it stops at one."""

    folder: str = modal.parameter()

    @modal.enter()
    def begin(self):
        path = Path(self.folder, os.environ["MODAL_TASK_ID"])
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.teller = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.teller.connect(str(Path(self.folder, "ear")))
        self.hook("enter")

    @modal.exit()
    def end(self):
        self.hook("exit")

    def hook(self, name):
        self.note("begin", name)
        until = time.monotonic() + 0.05
        while time.monotonic() < until:
            pass
        self.note("end", name)

    def note(self, moment, name):
        os.write(self.file, f"{moment} {name}\n".encode())

    def reach(self, moment, name, hold):
        self.note(moment, name)
        if moment == hold:
            self.teller.send(f"{moment} {name}".encode())
            while True:
                time.sleep(0.001)

    async def reach_async(self, moment, name, hold):
        self.note(moment, name)
        if moment == hold:
            self.teller.send(f"{moment} {name}".encode())
            await asyncio.sleep(1000)

    @modal.method()
    def plain(self, name, hold=""):
        try:
            self.reach("first", name, hold)
            sum(range(20_000))
            time.sleep(0.001)
            self.reach("last", name, hold)
            return Result(self, name, hold)
        except BaseException as error:
            self.note(f"hit:{type(error).__name__}", name)
            raise

    @modal.method()
    async def awaited(self, name, hold=""):
        try:
            await self.reach_async("first", name, hold)
            sum(range(20_000))
            await asyncio.sleep(0.001)
            await self.reach_async("last", name, hold)
            return f"result of {name}"
        except BaseException as error:
            self.note(f"hit:{type(error).__name__}", name)
            raise

    @modal.method()
    def quick(self, name):
        try:
            self.note("first", name)
            return f"result of {name}"
        except BaseException as error:
            self.note(f"hit:{type(error).__name__}", name)
            raise


class Ear:
    """Hears from containers where an input has stopped."""

    def __init__(self, sock):
        self._sock = sock
        self._heard = defaultdict(asyncio.Event)
        asyncio.get_running_loop().add_reader(self._sock, self._read)

    def _read(self):
        self._heard[self._sock.recv(1000).decode()].set()

    async def hear(self, moment, name):
        await self._heard[f"{moment} {name}"].wait()

    def close(self):
        asyncio.get_running_loop().remove_reader(self._sock)


class Notes:
    """What the containers wrote down."""

    def __init__(self, folder):
        self.of = {path.name: path.read_text().splitlines() for path in folder.glob("ct-*")}
        self.lines = [line.split() for lines in self.of.values() for line in lines]
        self.last = {name: moment for moment, name in self.lines if not moment.startswith("hit")}
        self.hits = [
            (moment.partition(":")[2], name) for moment, name in self.lines if moment.startswith("hit")
        ]

    def about(self, name):
        """Container and line, for a message."""
        return [(c, line) for c, lines in self.of.items() for line in lines if line.split()[1] == name]


@pytest.fixture(scope="module")
def short():
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder:
        yield Path(folder)


@pytest.fixture
def lively(home, short):
    folder = tempfile.mkdtemp(dir=short)
    with app.run():
        yield Lively(folder=folder)


@pytest.fixture
def ear(lively):
    """Where the containers of this test tell what they stop at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(Path(lively.folder, "ear")))
        sock.setblocking(False)
        yield sock


def life(dice):
    """(method, way, moment) of each call; no moment: nobody cancels it."""
    moments = [*HELD, "queued", "some time"]
    lives = [
        (dice.choice(["plain", "plain", "awaited"]), dice.choice(["remote", "spawn"]), moments[number % 5])
        for number in range(CANCELS)
    ]
    # a coroutine cannot be stopped where it does not wait: packing goes on to its end
    lives = [(("plain" if moment == "packing" else method), way, moment) for method, way, moment in lives]
    lives += [(dice.choice(["plain", "awaited"]), "remote", None) for _ in range(BYSTANDERS)]
    dice.shuffle(lives)
    return lives


class Calls:
    """Makes the calls, cancels them at their moments, and keeps what became of each."""

    def __init__(self, lively, ear, dice):
        self.lively, self.ear, self.dice = lively, ear, dice
        #: name -> what became of it: a value, or the type of an exception
        self.outcomes = {}
        self.turns = asyncio.Semaphore(AT_A_TIME)

    async def live(self, name, method, way, moment):
        async with self.turns:
            hold = moment if moment in HELD else ""
            face = getattr(self.lively, method)
            try:
                if way == "remote":
                    call = asyncio.ensure_future(face.remote.aio(name, hold))
                    await self.await_moment(name, moment, call)
                    if moment is not None:
                        call.cancel()
                    outcome = await call
                else:
                    call = await face.spawn.aio(name, hold)
                    await self.await_moment(name, moment, None)
                    await call.cancel.aio()
                    outcome = await call.get.aio()
            except (asyncio.CancelledError, InputCancelledError) as error:
                outcome = type(error)
            assert name not in self.outcomes
            self.outcomes[name] = outcome

    async def await_moment(self, name, moment, call):
        if moment in HELD:
            await self.ear.hear(moment, name)
        elif moment == "some time":
            await asyncio.sleep(self.dice.uniform(0, 0.02))
        elif moment is None:
            await asyncio.wait([call])


async def stop_containers(home, dice, calls):
    """Now and then a container is asked to end, so that enter and exit hooks run beside the cancels."""
    stopped = 0
    for enough in range(200, CANCELS + BYSTANDERS, 200):
        while len(calls.outcomes) < enough:  # noqa: ASYNC110 - many coroutines count there
            await asyncio.sleep(0.01)
        ids = sorted(
            c.id for c in await asyncio.to_thread(home.containers, "Lively") if c.state in ("idle", "busy")
        )
        await asyncio.to_thread(home.ask, ms.ContainerStop(id=dice.choice(ids)))
        stopped += 1
    return stopped


@pytest.mark.timeout(300)
def test_1000_cancels_at_any_moment_hit_their_own_input_and_nothing_else(home, lively, ear):
    folder, dice = Path(lively.folder), random.Random(11)
    lives = {f"{number}": life for number, life in enumerate(life(dice))}

    async def all_of_them():
        listener = Ear(ear)
        calls = Calls(lively, listener, dice)
        busy = asyncio.gather(*(calls.live(name, *how) for name, how in lives.items()))
        stopped = await stop_containers(home, dice, calls)
        await busy
        listener.close()
        return calls.outcomes, stopped

    outcomes, stopped = asyncio.run(all_of_them())

    # every call has one outcome: its own value, or that it was cancelled
    assert set(outcomes) == set(lives)
    for name, (_, way, moment) in lives.items():
        if moment is None or isinstance(outcomes[name], str):
            assert outcomes[name] == f"result of {name}"
        else:
            assert outcomes[name] is (asyncio.CancelledError if way == "remote" else InputCancelledError)

    # the pool serves, and its books are empty
    assert lively.plain.remote("after") == "result of after"
    names = [f"quick{n}" for n in range(200)]
    assert list(lively.quick.map(names)) == [f"result of {name}" for name in names]
    until(lambda: (home.pool("Lively").queued, home.pool("Lively").running) == (0, 0))

    until(lambda: {container.state for container in home.containers("Lively")} == {"idle"})
    # what the containers saw: only inputs that somebody cancelled were hit, at the moments where they were
    notes = Notes(folder)
    cancelled = {name for name, (_, _, moment) in lives.items() if moment is not None}
    assert {name for _, name in notes.hits} <= cancelled
    assert {kind for kind, _ in notes.hits} <= {"InputCancellation", "CancelledError"}
    for name, (method, _, moment) in lives.items():
        if moment in HELD:
            kind = "InputCancellation" if method == "plain" else "CancelledError"
            assert notes.last[name] == moment, notes.about(name)
            assert moment == "packing" or (kind, name) in notes.hits
    reached = Counter(notes.last.get(name, "queued") for name in cancelled)
    print(f"cancelled at: {dict(reached)}; {stopped} containers stopped, {len(notes.of)} started")
    assert min(reached[moment] for moment in ("queued", *HELD)) >= 150
    assert stopped == 6
    _check_hooks(home, notes)


def _check_hooks(home, notes):
    """Every hook that began ended, and no container was killed."""
    living = home.ids("Lively")
    for container, lines in notes.of.items():
        assert lines[:2] == ["begin enter", "end enter"]
        if container not in living:
            assert lines[-2:] == ["begin exit", "end exit"]
            assert f"container exited id={container} cause=stopped" in home.log()


def test_maps_that_are_given_up_in_their_middle_leave_calls_beside_them_alone(home, lively, ear):
    folder, dice = Path(lively.folder), random.Random(5)
    answers = {}

    async def bystander(number):
        answers[number] = await lively.plain.remote.aio(f"by{number}")

    async def given_up(number):
        names, taken = [f"map{number}-{i}" for i in range(300)], dice.randrange(200)
        results = aiter(lively.quick.map(names))
        for name in names[:taken]:
            assert await anext(results) == f"result of {name}"
        await results.aclose()

    async def both():
        await asyncio.gather(*map(given_up, range(20)), *map(bystander, range(100)))

    asyncio.run(both())
    assert answers == {number: f"result of by{number}" for number in range(100)}
    until(lambda: (home.pool("Lively").queued, home.pool("Lively").running) == (0, 0))
    hits = [name for _, name in Notes(folder).hits]
    assert not [name for name in hits if name.startswith("by")]
    assert lively.quick.remote("after") == "result of after"


@pytest.mark.parametrize("moment", ["starting", "waiting for a start"])
def test_a_cancel_while_its_container_starts_spares_the_enter_hook(home, short, moment):
    folder = Path(tempfile.mkdtemp(dir=short))
    own = modal.App("starting")

    @own.cls(max_containers=1)
    class Slow:
        @modal.enter()
        def load(self):
            (folder / "begun").touch()
            until((folder / "gate").exists)
            (folder / "ended").touch()

        @modal.method()
        def run(self, x):
            with (folder / "ran").open("a") as file:
                file.write(f"{x}\n")
            return x

    async def give_up():
        call = asyncio.ensure_future(Slow().run.remote.aio(1))
        if moment == "starting":
            await asyncio.to_thread(until, (folder / "begun").exists)
        else:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    with own.run():
        Slow().update_autoscaler(min_containers=1)
        asyncio.run(give_up())
        until((folder / "begun").exists)
        (folder / "gate").touch()
        until((folder / "ended").exists)
        assert Slow().run.remote(2) == 2
        assert (folder / "ran").read_text() == "2\n"
        assert len(home.ids("Slow")) == 1
