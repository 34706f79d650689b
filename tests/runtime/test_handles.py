"""What ``self.method`` is in an instance that serves."""

from __future__ import annotations

import copy
import pickle

import pytest

from modal_nb.exception import ExecutionError
from modal_nb.runtime import context
from modal_nb.runtime.service import Service
from tests.runtime.hooks import Derived, enter, method


def test_self_method_is_a_handle_and_local_runs_on_the_same_object():
    service = Service(Derived, {"name": "n"})
    assert service.instance.work.local() == "derived over base"
    with pytest.raises(TypeError, match=r"write self\.work\.local"):
        service.instance.work()


def test_remote_inside_is_refused_until_the_client_offers_it(monkeypatch):
    instance = Service(Derived, {"name": "n"}).instance
    with pytest.raises(ExecutionError, match=r"self\.work\.remote cannot be used inside a container yet"):
        _ = instance.work.remote
    assert not hasattr(instance.work, "nonsense")
    monkeypatch.setattr(context.process, "face_from_inside", lambda service, name, face: (name, face))
    assert instance.work.remote == ("work", "remote")


def test_a_plain_instance_has_plain_methods():
    class Plain:
        @method
        def f(self, x):
            return x + 1

        @enter
        def g(self):
            return 2

    assert Plain().f(1) == 2
    assert Plain().g() == 2
    assert Plain.f(Plain(), 3) == 4


def test_a_serving_instance_can_be_copied_and_pickled():
    instance = Service(Derived, {"name": "n"}).instance
    assert copy.deepcopy(instance).name == "n"
    assert pickle.loads(pickle.dumps(instance)).wait is not None


def test_classes_with_slots_can_serve():
    class Slim:
        __slots__ = ("x",)

        @method
        def f(self):
            return 5

    assert Service(Slim).method("f").call() == 5
