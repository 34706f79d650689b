"""The store: what was acknowledged is there after any end, and trouble with the file is one clear sentence."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from modal_nb.exception import (
    DataLossError,
    InternalFailure,
    NotFoundError,
    ResourceExhaustedError,
    ServiceError,
    VersionError,
)
from modal_nb.supervisor.store import all_calls, calls, schema
from modal_nb.supervisor.store.blobs import LARGE, Blobs
from modal_nb.supervisor.store.store import Store
from tests.supervisor.store.pools import one_pool

ROOT = Path(__file__).parents[3]


def run(file, *operations, durability="normal"):
    """What each of the operations gives, asked for at once and so in one transaction."""

    async def ask():
        store = Store(file, durability, asyncio.get_running_loop())
        try:
            return await asyncio.gather(*(store.ask(one) for one in operations), return_exceptions=True)
        finally:
            await asyncio.to_thread(store.close)

    return asyncio.run(ask())


@pytest.fixture
def file(tmp_path):
    return tmp_path / "store.db"


def rows(file):
    with contextlib.closing(sqlite3.connect(file)) as store:
        return dict(store.execute("SELECT call, state || ' ' || cast(body AS TEXT) FROM inputs"))


# ---- a full disk


def fill(connection):
    """From here on the file cannot grow."""
    connection.execute(text("CREATE TABLE filler (body BLOB)"))
    pages = connection.scalar(text("PRAGMA page_count"))
    connection.execute(text(f"PRAGMA max_page_count={pages}"))


def grow(connection):
    connection.execute(text("INSERT INTO filler VALUES (zeroblob(1000000))"))


def tables(connection):
    return set(connection.scalars(text("SELECT name FROM sqlite_master")))


def test_where_the_disk_is_full_what_reads_is_answered_beside_what_writes(file):
    all_are_asked = threading.Event()

    def first(connection):
        assert all_are_asked.wait(30)

    def no_such_thing(connection):
        raise NotFoundError("no such thing")

    async def ask():
        store = Store(file, "normal", asyncio.get_running_loop())
        await store.ask(fill)
        held = store.ask(first)
        asked = [store.ask(one) for one in (tables, grow, no_such_thing, tables)]
        all_are_asked.set()
        try:
            await held
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await asyncio.to_thread(store.close)

    before, refused, own, after = asyncio.run(ask())
    assert isinstance(refused, ResourceExhaustedError)
    assert "free some disk space" in str(refused)
    assert isinstance(own, NotFoundError), "its own error stays its own"
    assert before == after
    assert "filler" in after


# ---- what was acknowledged


@pytest.mark.timeout(300)
def test_100_writers_killed_by_kill_9_lose_no_acknowledged_row(file):
    chance = random.Random(4)
    accepted, settled = set(), set()
    for number in range(100):
        command = [sys.executable, "-m", "tests.supervisor.store.writer", file, str(number), "normal"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            said = [writer.stdout.readline()]  # it writes
            enough = chance.randrange(30)  # on a slow machine, too
            while sum(line.startswith(b"settled") for line in said) < enough:
                said.append(writer.stdout.readline())
            time.sleep(chance.uniform(0, 0.05))
            writer.kill()
            for line in [*said, *writer.stdout]:
                if line.endswith(b"\n"):
                    word, call = line.decode().split()
                    (accepted if word == "accepted" else settled).add(call)
    found = rows(file)
    lost = [call for call in accepted if call not in found]
    lost += [call for call in settled if found.get(call) != f"done result of {call}"]
    print(f"{len(accepted)} rows accepted, {len(settled)} settled, {len(lost)} lost")
    assert not lost
    assert len(settled) > 1000
    with contextlib.closing(sqlite3.connect(file)) as store:
        assert store.execute("PRAGMA quick_check").fetchall() == [("ok",)]


def test_an_input_that_is_accepted_twice_is_one(file, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    new = calls.Accepted("fc-1", 0, 1, "pool", "m", "C.m", 0, 1, b"x")
    told = run(file, one_pool, *[lambda c: calls.accept(c, blobs, new, 0.0)] * 3)[1:]
    assert told == [calls.Entry.NEW, calls.Entry.KNOWN, calls.Entry.KNOWN]


def test_an_input_of_a_pool_that_is_gone_is_not_taken_in(file, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    new = calls.Accepted("fc-1", 0, 1, "no pool", "m", "C.m", 0, 1, b"x")
    assert run(file, one_pool, lambda c: calls.accept(c, blobs, new, 0.0))[1] is calls.Entry.GONE
    assert not rows(file)


def test_the_first_outcome_counts(file, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    new = calls.Accepted("fc-1", 0, 1, "pool", "m", "C.m", 0, 1, b"x" * LARGE)
    first, second = (calls.Settled(0, 1, 0.0, body, ok=True) for body in (b"1", b"2"))
    told = run(
        file,
        one_pool,
        lambda c: calls.accept(c, blobs, new, 0.0),
        lambda c: calls.settle(c, blobs, "fc-1", 0, first, 1.0),
        lambda c: calls.settle(c, blobs, "fc-1", 0, second, 2.0),
        lambda c: calls.outcome(c, blobs, "fc-1", 0),
    )[1:]
    assert told == [calls.Entry.NEW, (first, "fc-1-0.in"), (first, None), first]


def test_beyond_the_bound_the_oldest_results_go(file, tmp_path):
    blobs = Blobs(tmp_path / "blobs")
    operations = [one_pool]
    for n in range(5):
        new = calls.Accepted(f"fc-{n}", 0, 1, "pool", "m", "C.m", 0, 1, b"x")
        end = calls.Settled(0, 1, 0.0, bytes(LARGE), ok=True)
        operations.append(lambda c, new=new: calls.accept(c, blobs, new, 0.0))
        operations.append(lambda c, n=n, end=end: calls.settle(c, blobs, f"fc-{n}", 0, end, float(n)))
    files = run(file, *operations, lambda c: all_calls.expire(c, 7.0, 2 * LARGE, 5.0))[-1]
    assert sorted(files) == ["fc-0-0.out", "fc-1-0.out", "fc-2-0.out"]
    states = {call: state.split()[0] for call, state in rows(file).items() if state}
    assert {call for call, state in states.items() if state == "done"} <= {"fc-3", "fc-4"}


# ---- one operation and its neighbours


def test_an_operation_that_fails_undoes_only_itself(file):
    def fails(connection):
        connection.execute(schema.environments.insert().values(name="half"))
        raise NotFoundError("no")

    def breaks(connection):
        connection.execute(schema.environments.insert().values(name="broken"))
        raise ZeroDivisionError

    told = run(
        file,
        lambda c: c.execute(schema.environments.insert().values(name="whole")).rowcount,
        fails,
        breaks,
        lambda c: sorted(c.scalars(text("SELECT name FROM environments"))),
    )
    assert told[0] == 1
    assert isinstance(told[1], NotFoundError)
    assert isinstance(told[2], InternalFailure)
    assert told[3] == ["main", "whole"]


# ---- trouble


def names(connection):
    return list(connection.scalars(text("SELECT name FROM environments")))


def refused(file, kind, *words):
    (error,) = run(file, names)
    assert isinstance(error, kind), error
    for word in (str(file), *words):
        assert word in str(error)


def test_a_file_that_is_no_database_is_named_and_left_as_it_is(file):
    file.write_bytes(b"not a database" * 1000)
    refused(file, DataLossError, "is damaged", "move it away")
    assert file.read_bytes() == b"not a database" * 1000


def test_a_file_that_is_cut_short_is_named(file):
    run(file, names)
    data = file.read_bytes()
    file.write_bytes(data[:4096] + b"\xff" * 4096)
    refused(file, DataLossError, "is damaged")
    file.write_bytes(data)
    assert run(file, names) == [["main"]]


def test_a_file_of_a_newer_version_is_left_alone(file):
    run(file, names)
    with contextlib.closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA user_version = 99")
    refused(file, VersionError, "schema 99", "upgrade modal_nb")


@pytest.mark.timeout(60)
def test_a_file_that_another_process_locks_is_named_within_10_seconds_and_well_again(file, monkeypatch):
    run(file, names)

    async def both():
        store = Store(file, "normal", asyncio.get_running_loop())
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            began = time.monotonic()
            with pytest.raises(ServiceError, match="is locked by another process"):
                await store.ask(names)
            assert time.monotonic() - began < 10
        assert await store.ask(names) == ["main"]
        await asyncio.to_thread(store.close)

    asyncio.run(both())


def test_a_folder_that_is_gone_is_named(tmp_path):
    refused(tmp_path / "no" / "store.db", ServiceError, "cannot be used")


def test_a_migration_that_is_killed_leaves_the_file_as_it_was(file, monkeypatch):
    run(file, names)

    def second(connection):
        connection.execute(text("CREATE TABLE more (a INTEGER)"))
        connection.execute(text("INSERT INTO more VALUES (1)"))

    def dies(connection):
        second(connection)
        os.kill(os.getpid(), 9)

    if (child := os.fork()) == 0:
        schema.MIGRATIONS.append(dies)
        with contextlib.suppress(BaseException):
            run(file, names)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 9
    with contextlib.closing(sqlite3.connect(file)) as store:
        assert store.execute("PRAGMA user_version").fetchone() == (1,)
        assert not store.execute("SELECT name FROM sqlite_master WHERE name = 'more'").fetchall()
    monkeypatch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, second])
    monkeypatch.setattr("modal_nb.supervisor.store.store.MIGRATIONS", schema.MIGRATIONS)
    assert run(file, lambda c: c.scalar(text("SELECT a FROM more"))) == [1]
    assert run(file, lambda c: c.scalar(text("SELECT count(*) FROM more"))) == [1]


def test_all_of_it_belongs_to_its_owner_alone(file):
    async def look():
        store = Store(file, "full", asyncio.get_running_loop())
        await store.ask(names)
        modes = {path.name: path.stat().st_mode & 0o077 for path in file.parent.glob("store.db*")}
        await asyncio.to_thread(store.close)
        return modes

    modes = asyncio.run(look())
    assert len(modes) == 3
    assert set(modes.values()) == {0}
