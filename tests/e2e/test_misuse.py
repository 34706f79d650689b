"""What is used in a way that cannot be: type and sentence of each error that needs a running system."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import modal_nb as modal
from modal_nb.exception import (
    ExecutionError,
    NotFoundError,
    StartFailedError,
)

app = modal.App("misuse")


@app.cls(max_containers=2, timeout=1, startup_timeout=60)
class Failing:
    @modal.method()
    def where(self):
        return os.environ["MODAL_TASK_ID"]


@pytest.fixture(scope="module")
def failing(home):
    with app.run():
        yield Failing()


@pytest.fixture
def own(home):
    """An app of the test's own, running."""
    found = modal.App("own")
    with found.run():
        yield found


# -- use that cannot be -----------------------------------------------------------------------------------------------


def test_a_method_is_not_called_directly(failing):
    with pytest.raises(TypeError, match=r"is not callable: write \.where\.remote\(\.\.\.\)"):
        failing.where()


def test_a_method_that_does_not_exist_is_named_with_those_that_do(failing):
    with pytest.raises(
        AttributeError, match=r"Failing has no method or attribute 'nowhere'; its methods: .*where"
    ):
        failing.nowhere.remote()
    with pytest.raises(AttributeError, match="Did you forget to instantiate"):
        Failing.where.remote()


def test_an_app_that_does_not_run_says_how_to_run_it(home):
    other = modal.App("idle")

    @other.cls()
    class Model:
        @modal.method()
        def use(self): ...

    for use in (Model().use.remote, Model().use.get_current_stats, lambda: list(Model().use.map([1]))):
        with pytest.raises(
            ExecutionError, match=r"the app 'idle' is not running: put the call inside `with app.run"
        ):
            use()


def test_a_class_of_an_app_that_is_not_deployed_is_not_found(failing):
    with pytest.raises(NotFoundError, match="Lookup failed for Cls 'Model' from the 'nowhere' app"):
        modal.Cls.from_name("nowhere", "Model")().use.remote()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"gpu": "T4"}, "gpu"),
        ({"image": modal.Image.debian_slim().pip_install("numpy")}, "image"),
        ({"volumes": {"/data": modal.Volume.from_name("data")}}, "volumes"),
        ({"block_network": True}, "block_network"),
        ({"region": "eu"}, "region"),
        ({"ephemeral_disk": 1000}, "ephemeral_disk"),
        ({"proxy": modal.Proxy.from_name("proxy")}, "proxy"),
        ({"restrict_modal_access": True}, "restrict_modal_access"),
        ({"cloud": "aws"}, "cloud"),
        ({"routing_region": "us-east"}, "routing_region"),
        ({"i6pn": True}, "i6pn"),
        ({"cpu": (0.5, 1.0)}, "cpu (limit)"),
        ({"memory": (64, 128)}, "memory (limit)"),
        (
            {"network_file_systems": {"/data": modal.NetworkFileSystem.from_name("data")}},
            "network_file_systems",
        ),
    ],
)
def test_what_no_back_end_can_do_yet_is_refused_by_name_at_first_use(own, home, options, named):
    @own.cls(**options)
    class Model:
        @modal.method()
        def use(self): ...

    with pytest.raises(modal.exception.UnsupportedOptionError) as caught:
        Model().use.remote()
    assert f"Model: the local back end cannot honour `{named}`" in str(caught.value)
    assert "nothing was started" in str(caught.value)
    assert not home.pools("Model")


@pytest.mark.parametrize(
    ("mark", "named"),
    [
        (modal.fastapi_endpoint(), "fastapi_endpoint"),
        (modal.asgi_app(), "asgi_app"),
        (modal.wsgi_app(), "wsgi_app"),
        (modal.web_server(8000), "web_server"),
    ],
)
def test_a_kind_of_method_that_no_back_end_serves_yet_is_refused_by_name(own, home, mark, named):
    @own.cls()
    class Model:
        @mark
        def use(self): ...

    with pytest.raises(modal.exception.InvalidError, match=named):
        Model().use.remote()
    assert not home.pools("Model")


def test_an_interpreter_that_is_gone_is_named(own, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    @own.cls(max_containers=1)
    class Model:
        @modal.method()
        def use(self): ...

    with pytest.raises(
        StartFailedError, match="cannot start a container with the interpreter '/nowhere/python'"
    ):
        Model().use.remote()


def test_the_command_line_without_a_supervisor(tmp_path, monkeypatch):
    monkeypatch.setenv("MODAL_NB_HOME", str(tmp_path))
    for command, answer in (("status", "No supervisor runs here"), ("stop", "No supervisor runs here.")):
        ran = subprocess.run(
            [sys.executable, "-m", "modal_nb.cli", command],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert answer in ran.stdout
