"""What ``Obj`` and handles that travel answer before any container runs."""

from __future__ import annotations

import copy
import pickle

import cloudpickle
import pytest

import modal_nb as modal
from modal_nb.exception import ExecutionError, InvalidError
from modal_nb.runtime.service import Service
from tests.client.zoo import built

# ---- Obj


def test_methods_are_functions_and_the_same_each_time(served):
    obj = served(size=2)
    assert isinstance(obj.predict, modal.Function)
    assert obj.predict is obj.predict


def test_a_method_is_not_called_directly(served):
    with pytest.raises(TypeError, match="remote"):
        served().predict(1)


def test_other_attributes_come_from_a_local_instance_without_hooks(served):
    obj = served(size=5)
    assert (obj.size, obj.tag, obj.helper(), obj.doubled, obj.FLAVOUR) == (5, "t", 5, 10, "vanilla")
    assert built == []


def test_an_unknown_attribute_names_the_methods(served):
    with pytest.raises(
        AttributeError, match="Model has no method or attribute 'predikt'; its methods: predict, later"
    ):
        served().predikt


def test_private_names_and_display_never_build_anything(served, monkeypatch):
    monkeypatch.setattr(Service, "__init__", lambda *_: pytest.fail("built"))
    obj = served()
    for name in (
        "_repr_html_",
        "_ipython_canary_method_should_not_exist_",
        "__len__",
        "_x",
        "shape",
        "dtype",
    ):
        assert not hasattr(obj, name)
    assert not hasattr(served, "_repr_html_")
    dir(obj), repr(obj), dir(served), repr(served), obj.predict, copy.copy(obj), pickle.dumps(obj)


def test_update_autoscaler_checks_before_it_asks(served):
    with pytest.raises(InvalidError, match="`scaledown_window` must be between 2 and 3600, not 1"):
        served().update_autoscaler(scaledown_window=1)


def test_an_app_that_does_not_run_is_named(served):
    with pytest.raises(ExecutionError, match=r"the app 'zoo' is not running.*with app.run\(\)"):
        served().update_autoscaler(min_containers=1)


async def awaited(obj):
    await obj.update_autoscaler.aio(scaledown_window=1)


def test_update_autoscaler_has_an_awaitable_face(served):
    import asyncio

    with pytest.raises(InvalidError, match="`scaledown_window`"):
        asyncio.run(awaited(served()))


# ---- looked-up classes


def test_from_name_is_lazy():
    found = modal.Cls.from_name("shop", "Till", environment_name="main")
    assert repr(found) == "<Cls Till of app 'shop'>"
    obj = found(1, any="thing")
    assert isinstance(obj.anything, modal.Function)
    assert repr(obj) == "<Obj Till(1, any='thing') of app 'shop'>"


@pytest.mark.parametrize("args", [("", "X"), (None, "X"), ("a b", "X"), ("shop", ""), ("shop", None)])
def test_from_name_checks_names(args):
    with pytest.raises(InvalidError, match="name"):
        modal.Cls.from_name(*args)


def test_from_name_refuses_what_it_cannot_do():
    with pytest.raises(InvalidError, match=r"`client` must be a modal_nb.Client\(home=...\), not <object"):
        modal.Cls.from_name("shop", "Till", client=object())


# ---- handles travel


@pytest.mark.parametrize("dump", [pickle.dumps, cloudpickle.dumps])
def test_every_handle_travels_as_a_reference(app, served, dump):
    obj = served.with_options(timeout=7)(size=2)
    handles = {"app": app, "cls": served, "obj": obj, "function": obj.predict}
    raw = dump(handles)
    assert b"hush" not in raw
    assert len(raw) < 8000
    back = pickle.loads(raw)
    assert back["app"].name == "zoo"
    assert repr(back["cls"]) == repr(served)
    assert back["obj"].__modal__.parameters() == {"size": 2, "tag": "t"}
    assert back["obj"].__modal__.declaration.options.limits.timeout == 7
    assert back["obj"].__modal__.declaration.spec == served.__modal__.spec
    assert isinstance(back["function"], modal.Function)


def test_a_used_handle_travels_too(served):
    obj = served()
    assert obj.helper() == 3
    assert pickle.loads(pickle.dumps(obj)).__modal__.parameters() == {"size": 3, "tag": "t"}


def test_a_handle_that_travelled_has_no_local_instance(served):
    obj = pickle.loads(pickle.dumps(served()))
    with pytest.raises(ExecutionError, match="was not defined here, so there is no local instance"):
        obj.__modal__.service()
    with pytest.raises(AttributeError, match="has no method or attribute 'helper'"):
        obj.helper


def test_copies_of_handles_are_the_handles(app, served):
    obj = served()
    assert copy.deepcopy([app, served, obj]) == [app, served, obj]
