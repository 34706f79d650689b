"""What a looked-up handle knows of its method: it is looked up off the loop, and again before it says no."""

from __future__ import annotations

import asyncio
import threading

import pytest

import modal_nb as modal
from modal_nb.client import lookups
from modal_nb.exception import NotFoundError


def deploy(*, generates: bool) -> None:
    app = modal.App("kinds")

    if generates:

        @app.cls()
        class Kind:
            @modal.method()
            def a(self, x):
                yield x

    else:

        @app.cls()
        class Kind:
            @modal.method()
            def a(self, x):
                return x

    @app.function(serialized=True)
    def plain(x):
        return x

    app.deploy()


def test_a_method_that_became_a_generator_is_called_as_one_and_back(home):
    deploy(generates=False)
    kind = modal.Cls.from_name("kinds", "Kind")()
    method = kind.a
    assert method.remote(1) == 1
    deploy(generates=True)
    assert list(method.remote_gen(2)) == [2]
    deploy(generates=False)
    assert method.remote(3) == 3
    assert asyncio.run(method.remote.aio(4)) == 4


def test_a_name_of_the_other_kind_is_said_to_be(home):
    deploy(generates=False)
    with pytest.raises(
        NotFoundError, match=r"Kind of app 'kinds' is a class.*Cls\.from_name\('kinds', 'Kind'\)"
    ):
        modal.Function.from_name("kinds", "Kind").remote(1)
    with pytest.raises(
        NotFoundError, match=r"is a function, not a class: use Function\.from_name\('kinds', 'plain'\)"
    ):
        modal.Cls.from_name("kinds", "plain")().a.remote(1)


def test_completion_lists_what_is_known(home):
    deploy(generates=False)
    kind = modal.Cls.from_name("kinds", "Kind")()
    assert kind.a.remote(1) == 1
    assert "a" in dir(kind)


async def _all(items):
    return [item async for item in items]


@pytest.mark.parametrize(
    "use",
    [
        lambda kind: _all(kind.a.map.aio([1])),
        lambda kind: kind.a.for_each.aio([1]),
        lambda kind: kind.a.spawn_map.aio([1]),
        lambda kind: kind.a.experimental_spawn_map.aio([1]),
    ],
    ids=["map", "for_each", "spawn_map", "experimental_spawn_map"],
)
def test_the_first_look_up_leaves_the_loop_free(home, monkeypatch, use):
    deploy(generates=False)
    seen = looked(monkeypatch)
    asyncio.run(use(modal.Cls.from_name("kinds", "Kind")()))
    assert seen
    assert threading.main_thread() not in seen


def test_the_first_look_up_of_a_generator_leaves_the_loop_free(home, monkeypatch):
    deploy(generates=True)
    seen = looked(monkeypatch)
    assert asyncio.run(_all(modal.Cls.from_name("kinds", "Kind")().a.remote_gen.aio(1))) == [1]
    assert seen
    assert threading.main_thread() not in seen


def looked(monkeypatch):
    """The threads on which something is looked up from now on."""
    seen = []
    find = lookups.find

    def noted(declaration):
        seen.append(threading.current_thread())
        return find(declaration)

    monkeypatch.setattr(lookups, "find", noted)
    return seen
