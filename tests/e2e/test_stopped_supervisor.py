"""A supervisor that was told to end stays ended until somebody needs one again."""

from __future__ import annotations

import os

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.protocol import messages as ms

app = modal.App("stopped")


@app.cls(min_containers=1, max_containers=2)
class Model:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]

    @modal.method()
    def echo(self, x):
        return x


@app.cls()
class Other:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@pytest.fixture
def stopped(home):
    """The app runs, and its supervisor was told to end."""
    with app.run():
        assert Model().where.remote()
        home.ask(ms.SupervisorStop())
        home.await_nothing_lives()
        yield


def test_a_client_that_waits_for_nothing_starts_no_new_one_nor_does_the_end_of_its_app(home):
    with app.run():
        assert Model().where.remote()
        home.ask(ms.SupervisorStop())
        home.await_nothing_lives()
    assert launcher.find(home.places) is None
    assert not home.living()


@pytest.mark.parametrize(
    "use",
    [
        Model().where.remote,
        lambda: list(Model().echo.map([1, 2])),
        lambda: Model().where.spawn().get(),
        Other().where.remote,
        lambda: Model().update_autoscaler(min_containers=2),
        Model().where.get_current_stats,
    ],
    ids=["remote", "map", "spawn", "another class", "update_autoscaler", "get_current_stats"],
)
def test_the_next_use_starts_one_that_knows_the_app_and_its_pools(home, stopped, use):
    use()
    assert Model().where.remote() in home.ids("Model")
