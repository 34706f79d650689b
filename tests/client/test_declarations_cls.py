"""What ``Cls`` and ``Obj`` answer before any container runs."""

from __future__ import annotations

import inspect
import itertools

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError, UsageError
from modal_nb.spec.cls_spec import MethodSpec
from modal_nb.spec.scaling import Batching, Concurrency

# ---- what a class offers


def test_a_class_becomes_data(served):
    spec = served.__modal__.spec
    assert spec.name == "Model"
    assert spec.methods == (
        MethodSpec("predict"),
        MethodSpec("later", is_async=True),
        MethodSpec("items", is_generator=True),
    )
    assert [(p.name, p.type, p.default) for p in spec.parameters] == [("size", "int", 3), ("tag", "str", "t")]


def test_methods_and_parameters_are_inherited_and_overridden(app):
    class Base:
        x: int = modal.parameter()
        y: str = modal.parameter(default="y")

        @modal.method()
        def one(self): ...

        @modal.method()
        def two(self): ...

    @app.cls()
    class OnlyInherits(Base):
        @modal.method()
        async def one(self): ...

    @app.cls()
    class Redeclares(Base):
        x: str = modal.parameter(default="now text")
        z: bool = modal.parameter(default=True)

    assert [(m.name, m.is_async) for m in OnlyInherits.__modal__.spec.methods] == [
        ("one", True),
        ("two", False),
    ]
    assert OnlyInherits(x=1).__modal__.parameters() == {"x": 1, "y": "y"}
    assert Redeclares().__modal__.parameters() == {"x": "now text", "y": "y", "z": True}


def test_the_constructor_can_be_inspected(served):
    assert str(inspect.signature(served)) == "(*, size: int = 3, tag: str = 't')"
    assert (served.__name__, served.__doc__) == ("Model", "A model.")


def test_defaults_and_the_order_of_keywords_do_not_matter(served):
    one, two = served(tag="t", size=3), served()
    assert list(one.__modal__.parameters().items()) == list(two.__modal__.parameters().items())


def test_concurrent_and_batched_are_declared(app):
    @app.cls()
    @modal.concurrent(max_inputs=8, target_inputs=4)
    class Wide:
        @modal.batched(max_batch_size=4, wait_ms=10)
        def many(self, xs): ...

    assert Wide.__modal__.options.concurrency == Concurrency(8, 4)
    assert Wide.__modal__.spec.methods[0].batching == Batching(4, 10)
    assert Wide.__modal__.unsupported(frozenset()) == ["concurrent", "batched"]


def test_a_base_classs_concurrency_is_its_own(app):
    @modal.concurrent(max_inputs=8)
    class Base: ...

    @app.cls()
    class Derived(Base): ...

    assert Derived.__modal__.options.concurrency == Concurrency()


def test_web_methods_are_declared_and_refused_by_name_at_first_use(app):
    @app.cls()
    class Site:
        @modal.fastapi_endpoint()
        def get(self): ...

        @modal.asgi_app()
        def serve(self): ...

    assert Site.__modal__.unsupported(frozenset()) == ["fastapi_endpoint", "asgi_app"]


def test_an_undecorated_class_is_plain_python():
    class Plain:
        @modal.enter()
        def load(self):
            return "loaded"

        @modal.method()
        def f(self, x):
            return x + 1

    assert (Plain().f(1), Plain().load()) == (2, "loaded")


# ---- Cls


def test_static_attributes_pass_through(served):
    assert served.FLAVOUR == "vanilla"
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        served.colour


def test_a_method_of_the_class_itself_says_what_was_forgotten(served):
    for use in (lambda m: m(1), lambda m: m.remote(1), lambda m: m.map([1])):
        with pytest.raises(
            AttributeError, match=r"Did you forget to instantiate the class\? Write Model\(\).predict"
        ):
            use(served.predict)


def test_parameters_and_hooks_are_none_of_the_class(served):
    with pytest.raises(AttributeError, match="'size' is a parameter: only instances"):
        served.size
    with pytest.raises(AttributeError, match="'load' of Model is a lifecycle hook"):
        served.load


def test_cls_has_no_public_constructor(served):
    with pytest.raises(
        UsageError, match=r"Cls has no public constructor: decorate a class with @app.cls\(\)"
    ):
        modal.Cls()
    with pytest.raises(UsageError, match="The class 'Child' cannot inherit from a Cls"):

        class Child(served): ...


def test_attributes_cannot_be_set_where_containers_would_not_see_them(served):
    with pytest.raises(AttributeError, match="'FLAVOUR' cannot be set on <Cls Model"):
        served.FLAVOUR = "x"
    with pytest.raises(AttributeError, match="'x' cannot be set on <Obj Model"):
        served().x = 1


def test_names_for_completion(served):
    assert dir(served) == sorted(
        [
            "FLAVOUR",
            "doubled",
            "from_name",
            "helper",
            "items",
            "later",
            "panel",
            "predict",
            "with_batching",
            "with_concurrency",
            "with_options",
        ]
    )
    assert dir(served()) == sorted(
        [
            *["FLAVOUR", "attach", "doubled", "helper", "items", "later", "panel", "predict", "size", "tag"],
            *["update_autoscaler", "wait_for"],
        ]
    )


def test_reprs_are_one_true_line(served):
    assert repr(served) == "<Cls Model of app 'zoo'>"
    assert repr(served(size=2)) == "<Obj Model(size=2) of app 'zoo'>"
    assert "hush" not in repr(served.__modal__)


# ---- variants


def test_with_options_gives_a_new_class_and_leaves_the_old(served):
    changed = served.with_options(max_containers=5, timeout=7).with_options(cpu=2)
    assert changed is not served
    assert served.__modal__.options.autoscaler.max_containers == 2
    options = changed.__modal__.options
    assert (options.autoscaler.max_containers, options.limits.timeout, options.resources.cpu) == (5, 7, 2)


def test_equal_chains_are_equal(served):
    one = served.with_options(cpu=2).with_options(timeout=7).with_concurrency(max_inputs=3)
    two = served.with_concurrency(max_inputs=3).with_options(timeout=7, cpu=2)
    assert one.__modal__.options == two.__modal__.options


def test_concurrency_and_batching_variants(served):
    options = (
        served.with_concurrency(max_inputs=4).with_batching(max_batch_size=2, wait_ms=1).__modal__.options
    )
    assert (options.concurrency, options.batching) == (Concurrency(4), Batching(2, 1))
    assert served.with_concurrency(max_inputs=0).__modal__.options.concurrency == Concurrency()
    with pytest.raises(InvalidError, match="`target_inputs`"):
        served.with_concurrency(max_inputs=2, target_inputs=3)
    with pytest.raises(InvalidError, match="`wait_ms` must be between 0 and 600000"):
        served.with_batching(max_batch_size=2, wait_ms=-1)


def test_of_modes_that_are_given_twice_the_later_one_counts(served):
    one = served.with_concurrency(max_inputs=4, target_inputs=2).with_concurrency(max_inputs=3)
    two = served.with_batching(max_batch_size=4, wait_ms=5).with_batching(max_batch_size=2, wait_ms=1)
    assert (one.__modal__.options.concurrency, two.__modal__.options.batching) == (
        Concurrency(3),
        Batching(2, 1),
    )


def test_variants_may_be_given_in_any_order(served):
    steps = (
        lambda cls: cls.with_options(timeout=7, max_containers=5),
        lambda cls: cls.with_concurrency(max_inputs=3),
        lambda cls: cls.with_batching(max_batch_size=2, wait_ms=1),
    )
    made = set()
    for one, two, three in itertools.permutations(steps):
        made.add(three(two(one(served))).__modal__.options.key({}))
    assert len(made) == 1


def test_retries_of_a_class_are_not_checked_against_its_generators(app):
    @app.cls(retries=2)
    class Model:
        @modal.method()
        def items(self):
            yield 1

    assert Model.__modal__.options.retries.max_retries == 2


@pytest.mark.parametrize("name", ["min_containers", "image", "startup_timeout", "enable_memory_snapshot"])
def test_with_options_has_not_every_option(served, name):
    with pytest.raises(TypeError, match=f"unexpected keyword argument '{name}'"):
        served.with_options(**{name: 1})


def test_warm_containers_of_a_variant_have_another_way(served):
    with pytest.raises(TypeError, match=r"obj.update_autoscaler"):
        served.with_options(min_containers=1)


def test_with_options_takes_keywords_only(served):
    with pytest.raises(UsageError, match="keyword arguments only"):
        served.with_options(3)
