"""Where the queue of a pool is full, what starts many inputs waits for room; no input is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client.room import Room
from modal_nb.exception import QueueFullError
from tests.e2e.home import until

#: the least that it may be
QUEUE = 1000
app = modal.App("full")


@pytest.fixture(scope="module")
def machine():
    return {"MODAL_NB_MAX_CONTAINERS": "4", "MODAL_NB_QUEUE_BOUND": str(QUEUE)}


@app.cls(max_containers=1)
class Full:
    @modal.method()
    def note(self, x, folder):
        until((Path(folder) / "gate").exists)
        with (Path(folder) / "noted").open("a") as file:
            file.write(f"{x}\n")
        return x


@pytest.fixture(params=["deployed", "running"])
def full(home, request):
    if request.param == "running":
        with app.run():
            yield Full()
    else:
        app.deploy()
        yield modal.Cls.from_name("full", "Full")()


@pytest.mark.parametrize("face", ["spawn_map", "experimental_spawn_map"])
def test_many_inputs_wait_for_room(full, tmp_path, monkeypatch, face):
    refused = Room.await_by

    def seen(self, call):
        (tmp_path / "gate").touch()
        refused(self, call)

    monkeypatch.setattr(Room, "await_by", seen)
    many = range(QUEUE + 500)
    call = getattr(full.note, face)(many, kwargs={"folder": str(tmp_path)})
    # the queue was full; of an app that runs here that may be heard a little later
    until((tmp_path / "gate").exists)
    if call is not None:
        assert list(call.iter()) == list(many)
    until(lambda: len((tmp_path / "noted").read_text().splitlines()) >= len(many))
    assert sorted(map(int, (tmp_path / "noted").read_text().split())) == list(many)


def test_a_single_spawn_is_refused(full, tmp_path):
    def spawn_all():
        # one runs, and one more may be in the container before that is known to be slow
        calls = [full.note.spawn(x, str(tmp_path)) for x in range(QUEUE + 3)]
        calls[-1].get()  # of an app that runs here the call itself has the error

    with pytest.raises(QueueFullError):
        spawn_all()
    (tmp_path / "gate").touch()
    until(lambda: not full.note.get_current_stats().backlog)
