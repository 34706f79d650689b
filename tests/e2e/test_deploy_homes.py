"""What belongs to one home or one deployment and must not be taken for another's."""

from __future__ import annotations

import pickle

import pytest

import modal_nb as modal
from modal_nb.client import lookups
from modal_nb.exception import NotFoundError
from modal_nb.protocol import messages as ms
from tests.cli.terminal import modal_nb
from tests.e2e.home import Home

app = modal.App("homes")


@app.cls()
class Twice:
    @modal.method()
    def double(self, x):
        return 2 * x

    @modal.method()
    def is_own(self, client):
        return client == modal.Client()


@pytest.fixture
def other(home, tmp_path):
    """A second home, whose supervisor is ended with the test."""
    second = Home(tmp_path / "other")
    yield modal.Client(home=second.folder)
    second.ask(ms.SupervisorStop())


def test_a_pickled_call_and_a_pickled_client_mean_their_home(home, other):
    app.deploy(client=other)
    call = modal.Cls.from_name("homes", "Twice", client=other)().double.spawn(4)
    assert pickle.loads(pickle.dumps(call)).get() == 8
    found = pickle.loads(pickle.dumps(modal.FunctionCall.from_id(call.object_id, client=other)))
    assert found.get() == 8
    with pytest.raises(NotFoundError):
        modal.FunctionCall.from_id(call.object_id).get()
    assert pickle.loads(pickle.dumps(other)) == other
    app.stop()


def test_in_a_container_a_client_means_the_containers_own_home(home, other):
    app.deploy(client=other)
    app.deploy()
    assert modal.Cls.from_name("homes", "Twice")().is_own.remote(other)
    app.stop()


OVERTAKEN = """
import subprocess
import sys
import modal_nb as modal
from modal_nb.client import deployment

app = modal.App("raced")

@app.function(serialized=True)
def one(x):
    return x

deploy = deployment.deploy

def overtaken(app, *more):
    live = deploy(app, *more)
    deployment.deploy = deploy
    subprocess.run([sys.executable, "rival.py"], check=True)
    return live

deployment.deploy = overtaken
"""
RIVAL = """
import modal_nb as modal

app = modal.App("raced")

@app.function(serialized=True)
def one(x):
    return x

app.deploy()
"""


def test_the_version_that_is_printed_is_the_own_one(home, tmp_path):
    (tmp_path / "rival.py").write_text(RIVAL)
    (tmp_path / "mine.py").write_text(OVERTAKEN)
    told = modal_nb("deploy", "mine.py::app", cwd=tmp_path)
    assert told.stdout == "Deployed raced, version 1: one\n", told.stderr
    declaration = modal.Function.from_name("raced", "one").__modal__
    assert lookups.again(declaration).version == 2
