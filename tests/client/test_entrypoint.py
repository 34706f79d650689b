"""``@app.local_entrypoint()``: what it makes of a function, and what it refuses."""

from __future__ import annotations

import asyncio
import inspect

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError, UsageError


@pytest.fixture
def app():
    return modal.App("entries")


def test_an_entrypoint_is_its_function_and_the_app_knows_it(app):
    @app.local_entrypoint()
    def main(count: int, word="x"):
        """Say it."""
        return word * count

    assert main(2) == "xx"
    assert main(count=1, word="y") == "y"
    assert (main.__name__, main.__doc__) == ("main", "Say it.")
    assert list(inspect.signature(main).parameters) == ["count", "word"]
    assert app.registered_entrypoints == {"main": main}


def test_an_async_entrypoint_gives_its_coroutine(app):
    @app.local_entrypoint()
    async def main(x):
        return x + 1

    assert asyncio.run(main(1)) == 2


def test_a_name_takes_the_place_of_its_own(app):
    @app.local_entrypoint(name="start")
    def main():
        pass

    assert list(app.registered_entrypoints) == ["start"]
    with pytest.raises(InvalidError, match="Invalid Entrypoint name: 'a b'"):
        app.local_entrypoint(name="a b")


def test_missing_parentheses_name_the_fix(app):
    with pytest.raises(UsageError, match=r"Did you forget parentheses\? Write @app.local_entrypoint\(\)\."):

        @app.local_entrypoint
        def main():
            pass

    assert issubclass(UsageError, TypeError)
    assert not app.registered_entrypoints


def test_two_of_a_name_warn_and_the_last_one_counts(app):
    @app.local_entrypoint()
    def main():
        return 1

    with pytest.warns(UserWarning, match="the local entrypoint 'main' was already defined") as told:

        @app.local_entrypoint()
        def main():
            return 2

    assert told[0].filename == __file__
    assert app.registered_entrypoints["main"]() == 2


def test_only_a_plain_function_is_one(app):
    @app.function()
    def served():
        pass

    with pytest.raises(InvalidError, match="which containers serve: put it on a plain function"):
        app.local_entrypoint()(served)
    with pytest.raises(InvalidError, match="which containers serve"):
        app.local_entrypoint(name="x")(modal.method()(lambda self: None))
    with pytest.raises(InvalidError, match="decorates a function, not 3"):
        app.local_entrypoint()(3)


def test_entrypoints_are_not_included(app):
    @app.local_entrypoint()
    def main():
        pass

    assert modal.App("outer").include(app).registered_entrypoints == {}
