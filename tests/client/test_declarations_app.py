"""``App``: its options, what is registered with it, and when it runs."""

from __future__ import annotations

import asyncio
import inspect
import warnings

import pytest

import modal_nb as modal
from modal_nb.client import app_run
from modal_nb.exception import InvalidError, UsageError
from modal_nb.runtime.context import process


class Run:
    """Plays a RunningApp."""

    def __init__(self, app, name=None):
        self.app, self.name, self.stopped = app, name, False

    def stop(self):
        self.stopped = True


@pytest.fixture
def runs(monkeypatch):
    made = []

    def start(app, name=None, session=None):
        made.append(Run(app, name))
        return made[-1]

    monkeypatch.setattr(app_run.running, "start", start)
    return made


def refusal(kind, make, *args, **kwargs):
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("name", [3, b"x", "", "a b", "x" * 65])
def test_a_name_is_checked(name):
    assert "Invalid App name" in refusal(InvalidError, modal.App, name)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"image": "debian"}, "`image` must be a modal_nb.Image"),
        ({"secrets": ["x"]}, "`secrets` must hold modal_nb.Secret objects only"),
        ({"volumes": {"data": modal.Volume.from_name("v")}}, "`volumes` has the path 'data'"),
        ({"include_source": 3}, "`include_source` must be True or False"),
        ({"tags": ["x"]}, "`tags` must be a dict of str to str"),
        ({"tags": {"a": 1}}, "`tags` must be a dict of str to str"),
    ],
)
def test_options_are_checked(given, sentence):
    assert refusal(InvalidError, modal.App, "x", **given).startswith(sentence)


def test_an_app_has_defaults_for_its_classes():
    image = modal.Image.debian_slim()
    app = modal.App(image=image, secrets=[modal.Secret.from_dict({"A": "1"})], tags={"team": "zoo"})

    @app.cls()
    class Model: ...

    assert Model.__modal__.options.image is image
    assert len(Model.__modal__.options.secrets) == 1
    assert app.tags == {"team": "zoo"}


def test_defining_a_class_again_warns_and_the_last_one_counts():
    app = modal.App("zoo")

    def define():
        @app.cls()
        class Model: ...

        return Model

    first = define()
    with pytest.warns(UserWarning, match="'Model' was already defined in <App 'zoo', not running>"):
        second = define()
    assert app.registered_classes == {"Model": second}
    assert first is not second


def test_in_a_notebook_defining_again_is_no_accident(monkeypatch):
    monkeypatch.setattr("modal_nb.client.app.in_ipython", lambda: True)
    app = modal.App("zoo")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            app.cls()(type("Model", (), {}))


def test_one_class_body_may_have_two_apps():
    class Model:
        @modal.method()
        def f(self): ...

    one, two = modal.App("one"), modal.App("two")
    assert [repr(app.cls()(Model)) for app in (one, two)] == [
        "<Cls Model of app 'one'>",
        "<Cls Model of app 'two'>",
    ]


def test_including_takes_the_classes_in(runs):
    inner, outer = modal.App("inner"), modal.App("outer")

    @inner.cls()
    class Model: ...

    assert outer.include(inner) is outer
    assert outer.registered_classes == {"Model": Model}
    with outer.run():
        assert inner.running() is runs[0]
    assert inner.running() is None
    assert "cannot include itself" in refusal(InvalidError, outer.include, outer)
    assert "`other` must be a modal_nb.App, not 3" in refusal(InvalidError, outer.include, 3)


# ---- running


def test_an_app_runs_for_the_length_of_a_block(runs):
    app = modal.App("zoo")
    assert repr(app) == "<App 'zoo', not running>"
    with app.run() as inside:
        assert inside is app
        assert app.running() is runs[0]
        assert repr(app) == "<App 'zoo', running>"
    assert runs[0].stopped
    assert app.running() is None


def test_an_async_block_is_the_same(runs):
    app = modal.App("zoo")

    async def main():
        async with app.run(name="other") as inside:
            assert inside.running().name == "other"

    asyncio.run(main())
    assert [run.stopped for run in runs] == [True]


def test_a_block_ends_only_its_own_run(runs):
    app = modal.App("zoo")
    with app.run():
        with app.run():
            assert app.running() is runs[1]
        assert [run.stopped for run in runs] == [False, True]
        assert app.running() is runs[0]


def test_a_block_that_raises_still_ends(runs):
    app = modal.App("zoo")
    with pytest.raises(KeyError), app.run():
        raise KeyError("x")
    assert runs[0].stopped


def test_a_cancelled_start_leaves_nothing_running(monkeypatch, runs):
    app = modal.App("zoo")

    async def main():
        loop = asyncio.get_running_loop()
        started, go_on = asyncio.Event(), __import__("threading").Event()
        fast = app_run.running.start

        def slow(app, name=None, session=None):
            loop.call_soon_threadsafe(started.set)
            go_on.wait()
            return fast(app, name)

        monkeypatch.setattr(app_run.running, "start", slow)
        entering = asyncio.ensure_future(app.run().__aenter__())
        await started.wait()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        go_on.set()
        # the default executor is joined before the loop ends, then the callback has run
        await loop.shutdown_default_executor()
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [run.stopped for run in runs] == [True]
    assert app.running() is None


def test_stop_ends_all_runs(runs):
    app = modal.App("zoo")
    with app.run(), app.run():
        app.stop()
        assert [run.stopped for run in runs] == [True, True]


def test_one_run_is_entered_once(runs):
    run = modal.App("zoo").run()
    with run:
        assert "entered already" in refusal(InvalidError, run.__enter__)


@pytest.mark.parametrize("given", [{"detach": True}, {"interactive": True}, {"environment_name": "dev"}])
def test_what_a_run_cannot_do_is_refused_by_name(given):
    assert f"app.run({next(iter(given))}=" in refusal(InvalidError, modal.App("zoo").run, **given)
    assert "`client` must be a modal_nb.Client(home=...), not 7" in refusal(
        InvalidError, modal.App("zoo").run, client=7
    )


def test_an_app_is_not_run_inside_a_container(runs, monkeypatch):
    monkeypatch.setattr(process, "_container_id", "ct-1")
    monkeypatch.setattr(process, "_pid", __import__("os").getpid())
    assert "cannot be used inside a container" in refusal(InvalidError, modal.App("zoo").run().__enter__)


def test_deploying_is_refused_with_a_sentence():
    assert "An app without a name cannot be deployed" in refusal(InvalidError, modal.App().deploy)
    assert "`strategy` must be 'rolling' or 'recreate', not 'x'" in refusal(
        InvalidError, modal.App("zoo").deploy, strategy="x"
    )
    assert "has no class and no function to deploy: decorate one with @app.cls()" in refusal(
        InvalidError, modal.App("zoo").deploy
    )
    assert "`client` must be a modal_nb.Client(home=...), not 7" in refusal(
        InvalidError, modal.App("zoo").deploy, client=7
    )


# ---- functions


def test_a_function_is_declared_under_its_name_with_its_text_and_signature():
    app = modal.App("zoo")

    @app.function(name="twice", retries=2)
    def double(x: int) -> int:
        """Two times."""
        return 2 * x

    assert app.registered_functions == {"twice": double}
    assert isinstance(double, modal.Function)
    assert repr(double) == "<Function twice>"
    assert (double.__doc__, list(inspect.signature(double).parameters)) == ("Two times.", ["x"])
    assert double.local(4) == 8
    assert "twice is not callable: write .twice.remote(...)" in refusal(TypeError, double, 1)
    assert "the app 'zoo' is not running" in refusal(modal.exception.ExecutionError, double.remote, 1)


def test_the_rules_of_functions():
    app = modal.App("zoo")

    def needs(x): ...

    def method(self): ...

    def generates():
        yield 1

    def defaults(xs, y=1): ...

    batched = modal.batched(max_batch_size=2, wait_ms=0)
    assert "use @app.cls()" in refusal(TypeError, app.function(), int)
    assert "cannot decorate the method 'method'" in refusal(
        InvalidError, app.function(), modal.method()(method)
    )
    assert "use @modal_nb.method() on it" in refusal(InvalidError, app.function(), method)
    assert "cannot have arguments without defaults: x" in refusal(
        InvalidError, app.function(schedule=1), needs
    )
    assert "cannot have `retries`" in refusal(InvalidError, app.function(retries=1), generates)
    assert "cannot have default arguments" in refusal(InvalidError, app.function(), batched(defaults))
    assert "@batched cannot stand on the generator 'generates'" in refusal(
        InvalidError, app.function(), batched(generates)
    )
    assert "`cpu` must be a number" in refusal(InvalidError, lambda: app.function(cpu="x"))
    assert "Did you forget parentheses?" in refusal(UsageError, app.function, needs)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (-1, "`linger` must be at least 0, not -1"),
        ("long", "`linger` must be a number, not 'long' (str)"),
        (True, "`linger` must be a number, not True (bool)"),
        (float("inf"), "`linger` must be a finite number, not inf"),
    ],
)
def test_how_long_containers_linger_is_checked(value, sentence):
    with pytest.raises(InvalidError) as caught:
        modal.App("a", linger=value)
    assert str(caught.value) == sentence
