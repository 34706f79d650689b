"""Options that this machine honours by doing nothing special, and variants of a class."""

from __future__ import annotations

import os

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError

app = modal.App("options", tags={"team": "tests"})


class Plain:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@pytest.mark.parametrize(
    "options",
    [
        {"nonpreemptible": True},
        {"serialized": True},
        {"experimental_options": {"anything": 1}},
        {"cpu": 0.5, "memory": 64},
        {"timeout": 86_400, "startup_timeout": 60},
        {"min_containers": 0, "max_containers": 1, "buffer_containers": 0, "scaledown_window": 3600},
    ],
    ids=str,
)
def test_an_option_that_is_kept_here_lets_the_class_serve(home, options):
    own = modal.App("kept")
    served = own.cls(**options)(Plain)
    with own.run():
        assert served().where.remote().startswith("ct-")


def test_an_app_knows_its_name_its_tags_and_its_classes_while_it_runs(home):
    served = app.cls()(Plain)
    with app.run():
        assert served().where.remote()
        assert app.running() is not None
        assert home.status().apps[0].name == app.name == "options"
    assert app.running() is None
    assert app.tags == {"team": "tests"}
    assert app.registered_classes == {"Plain": served}
    assert app.registered_functions == {}


def test_a_run_may_have_a_name_of_its_own(home):
    with app.run(name="tonight"):
        assert home.status().apps[0].name == "tonight"


def test_a_schedule_is_refused_by_name_at_the_first_use(home):
    @app.function(schedule="hourly")
    def tick(): ...

    with app.run(), pytest.raises(InvalidError, match="tick: the local back end cannot honour `schedule`"):
        tick.remote()
    assert home.containers() == []
