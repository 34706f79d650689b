"""A Dict is one thing for all processes, and what was acknowledged stays."""

from __future__ import annotations

import asyncio
import pickle
import threading

import pytest

import modal_nb as modal
from modal_nb.exception import AlreadyExistsError, InvalidError, NotFoundError, RequestSizeError
from tests.chaos.storm import kill
from tests.e2e import script
from tests.e2e.home import until
from tests.e2e.notebook import Notebook

app = modal.App("dicts")
noted = modal.Dict.from_name("noted", create_if_missing=True)


@app.cls(max_containers=2)
class Clerk:
    @modal.method()
    def note(self, key, value):
        noted[key] = value

    @modal.method()
    def look(self, where, key):
        return where[key]

    @modal.method()
    async def look_twice(self, where, key):
        return await where.get.aio(key), [k async for k in where.keys.aio()]


@pytest.fixture
def here(home):
    with modal.Dict.ephemeral() as found:
        yield found


def test_it_is_used_like_a_dict(here):
    here["a"] = 1
    here.put("b", {"deep": [1, 2]})
    here.update({"c": 3}, d=4)
    here.update([("e", None)])
    assert here["b"] == here.get("b") == {"deep": [1, 2]}
    assert "e" in here
    assert here.contains("a")
    assert "f" not in here
    assert here.get("f") is None
    assert here.get("f", 7) == 7
    assert here.get("e", 7) is None
    assert list(here.keys()) == ["a", "b", "c", "d", "e"]
    assert list(here.values()) == [1, {"deep": [1, 2]}, 3, 4, None]
    assert dict(here.items()) == dict(here)
    assert here.pop("a") == 1
    assert here.pop("a", "gone") == "gone"
    del here["b"]
    here["c"] = "new"
    assert here.len() == 3
    assert list(here.items()) == [("c", "new"), ("d", 4), ("e", None)]
    here.clear()
    assert here.len() == 0


def test_a_missing_key_is_a_key_error(here):
    for use in (lambda: here["x"], lambda: here.pop("x"), lambda: here.__delitem__("x")):
        with pytest.raises(KeyError, match="x"):
            use()
    with pytest.raises(TypeError, match="unhashable"):
        here.put([], 1)
    with pytest.raises(TypeError, match="not iterable"):
        iter(here)


def test_equal_keys_are_one_key_however_they_were_made(here):
    part = "ABCD".lower()  # equal to a literal, and another object
    here[("abcd", part, 1)] = "tuple"
    here[frozenset({"x", "y", "z"})] = "set"
    assert here[(part, part, 1)] == here["abcd", "abcd", 1] == "tuple"
    assert here[frozenset(["z", "y", "x"])] == "set"
    assert set(here.keys()) == {("abcd", "abcd", 1), frozenset("xyz")}
    here[1], here[1.0], here[True] = "int", "float", "bool"
    assert [here[1], here[1.0], here[True]] == ["int", "float", "bool"]


def test_a_value_is_a_copy(here):
    here["list"] = []
    here["list"].append(1)
    assert here["list"] == []


def test_more_entries_than_one_answer_holds_come_in_their_order(here):
    here.update({number: bytes(10_000) for number in range(2_500)})
    assert list(here.keys()) == list(range(2_500))
    assert sum(map(len, here.values())) == 25_000_000


def test_the_other_face(home):
    async def use():
        async with modal.Dict.ephemeral() as here:
            assert await here.put.aio("a", 1)
            assert not await here.put.aio("a", 2, skip_if_exists=True)
            await here.update.aio({"b": 2})
            assert await here.get.aio("a") == 1
            assert await here.contains.aio("b")
            assert await here.len.aio() == 2
            assert [key async for key in here.keys.aio()] == ["a", "b"]
            assert [value async for value in here.values.aio()] == [1, 2]
            assert [item async for item in here.items.aio()] == [("a", 1), ("b", 2)]
            assert await here.pop.aio("a") == 1
            await here.clear.aio()
            await here.hydrate.aio()
            return here

    gone = asyncio.run(use())
    with pytest.raises(NotFoundError, match="as long as its `with` block"):
        gone.get("a")


def test_bounds_are_named(here):
    with pytest.raises(RequestSizeError, match="the entry 'big' takes 104,857,"):
        here["big"] = bytes(100 * 1024**2)
    with pytest.raises(RequestSizeError, match="10,001 entries are too many"):
        here.update(dict.fromkeys(range(10_001)))
    with pytest.raises(TypeError, match="the value of 'lock'"):
        here["lock"] = threading.Lock()
    assert here.len() == 0


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_name_is_looked_up_at_its_first_use(home):
    missing = modal.Dict.from_name("missing")
    assert missing.name == "missing"
    for use in (missing.hydrate, missing.len, lambda: missing.put(1, 1)):
        with pytest.raises(NotFoundError, match=r"Dict.from_name\('missing', create_if_missing=True\)"):
            use()
    modal.Dict.from_name("missing", create_if_missing=True).hydrate()
    assert missing.hydrate() is missing
    modal.Dict.objects.delete("missing")
    with pytest.raises(NotFoundError):
        missing.len()


def test_names_are_made_listed_and_removed(home):
    for name in ("older", "newer"):
        modal.Dict.objects.create(name)
    with pytest.raises(AlreadyExistsError):
        modal.Dict.objects.create("newer")
    modal.Dict.objects.create("newer", allow_existing=True)
    with modal.Dict.ephemeral() as hidden:
        assert hidden.name is None
        assert [one.name for one in modal.Dict.objects.list(max_objects=2)] == ["newer", "older"]
    assert modal.Dict.objects.list(created_before="2020-01-01") == []
    for name in ("older", "newer"):
        modal.Dict.objects.delete(name)
    with pytest.raises(NotFoundError):
        modal.Dict.objects.delete("newer")
    modal.Dict.objects.delete("newer", allow_missing=True)
    with pytest.raises(InvalidError, match="Invalid Dict name"):
        modal.Dict.from_name("no/name")
    with pytest.raises(InvalidError, match="from_name"):
        modal.Dict()


def test_an_environment_is_a_namespace_and_must_exist(home, monkeypatch):
    here = modal.Dict.from_name("placed", create_if_missing=True)
    here["x"] = 1
    with pytest.raises(NotFoundError, match="no environment 'far'"):
        modal.Dict.from_name("placed", environment_name="far", create_if_missing=True).len()
    monkeypatch.setenv("MODAL_NB_ENVIRONMENT", "far")
    with pytest.raises(NotFoundError, match="no environment 'far'"):
        modal.Dict.from_name("placed").len()


# -- many processes ---------------------------------------------------------------------------------------------------

WINNER = """
import os, modal_nb as modal
lock = modal.Dict.from_name("lock", create_if_missing=True)
lock.len()
print("ready", flush=True)
while not os.path.exists("../gate"):
    pass
print(lock.put("held", 1, skip_if_exists=True))
"""


def test_of_eight_processes_one_gets_the_lock(home, tmp_path):
    folders = [tmp_path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir()
    processes = [script.start(folder, WINNER) for folder in folders]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "gate").touch()
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted(printed) == ["False\n"] * 7 + ["True\n"]


def test_a_notebook_a_script_and_containers_share_it(home, tmp_path):
    with Notebook(tmp_path) as notebook, app.run():
        notebook.run(
            "import modal_nb as modal\nnoted = modal.Dict.from_name('noted', create_if_missing=True)"
        )
        notebook.run("class Own:\n    word = 'by value'\nnoted['notebook'] = Own()")
        script.run(tmp_path, "import modal_nb as modal\nmodal.Dict.from_name('noted')['script'] = (1, 2)")
        Clerk().note.remote("container", {3})
        assert noted["notebook"].word == "by value"
        assert notebook.value("(noted['script'], noted['container'])") == ((1, 2), {3})
        assert Clerk().look.remote(noted, "script") == (1, 2)


def test_an_ephemeral_one_works_in_containers_while_its_owner_lives(home, here):
    here["x"] = 5
    with app.run():
        assert Clerk().look.remote(here, "x") == 5
        assert Clerk().look_twice.remote(here, "x") == (5, ["x"])
    assert pickle.loads(pickle.dumps(here)) == here


OWNER = """
import pickle, signal, modal_nb as modal
with modal.Dict.ephemeral() as here:
    here["x"] = 1
    print(pickle.dumps(here).hex(), flush=True)
    signal.pause()
"""


def test_an_ephemeral_one_goes_with_its_owner_who_was_killed(home, tmp_path):
    with script.start(tmp_path, OWNER) as process:
        here = pickle.loads(bytes.fromhex(process.stdout.readline()))
        assert here["x"] == 1
        process.kill()

    def is_gone():
        try:
            here.get("x")
        except NotFoundError as error:
            return error
        return None

    assert "the process that runs that" in str(until(is_gone))


# -- the supervisor is killed -----------------------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_a_kill(home, here):
    kept = modal.Dict.from_name("kept", create_if_missing=True)
    for number in range(30):
        kept[number] = here[number] = number * number
        if number % 10 == 5:
            kill(home.supervisor())
    assert dict(kept.items()) == dict(here.items()) == {number: number * number for number in range(30)}


def test_kills_while_many_write_lose_nothing_that_was_acknowledged(home):
    kept = modal.Dict.from_name("stormy", create_if_missing=True)
    acknowledged, failed = [], []

    def write(start):
        try:
            for number in range(start, start + 100):
                assert kept.put(number, number, skip_if_exists=True), "written once, and by this one"
                acknowledged.append(number)
        except BaseException as error:
            failed.append(error)
            raise

    writers = [threading.Thread(target=write, args=(start,)) for start in range(0, 400, 100)]
    for writer in writers:
        writer.start()
    for count in (50, 150, 250):
        until(lambda count=count: len(acknowledged) >= count or failed)
        kill(home.supervisor())
    for writer in writers:
        writer.join()
    assert not failed
    assert sorted(kept.keys()) == sorted(acknowledged) == list(range(400))
