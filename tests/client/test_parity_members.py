"""Members of a class, and what an instance and a class answer: type and whole sentence of each refusal."""

from __future__ import annotations

import asyncio

import pytest

import modal_nb as modal
from modal_nb.exception import ExecutionError, InvalidError, NotFoundError

app = modal.App("parity")
#: instances whose exit hook ran here
ended = []


def refusal(kind, make, *args, **kwargs):
    """The sentence of an error that is of exactly this type."""
    with pytest.raises(kind) as caught:
        make(*args, **kwargs)
    assert type(caught.value) is kind
    return str(caught.value)


def plain(self): ...


class Shared:
    FLAVOUR = "vanilla"

    @modal.method()
    def one(self):
        return "base one"

    @modal.method()
    def two(self):
        return "base two"


@app.cls(max_containers=1)
class Model(Shared):
    size: int = modal.parameter(default=3)

    def __enter__(self):
        raise AssertionError("no context manager")

    @modal.enter()
    def load(self):
        self.loaded = getattr(self, "loaded", 0) + 1

    @modal.enter(snap=True)
    async def warm(self):
        self.warmed = not hasattr(self, "loaded")

    @modal.exit()
    def bye(self):
        ended.append(self)

    @modal.method()
    def one(self):
        return "derived one"

    @modal.method()
    async def later(self):
        return self.loaded, self.warmed

    @modal.method()
    def now(self):
        return self.loaded, self.warmed

    @modal.method()
    def items(self):
        yield 1

    @modal.method()
    async def items_later(self):
        yield 1

    @modal.method()
    def helped(self):
        return self.added(1), self.named(), self.doubled, self.helper(), self.FLAVOUR

    @staticmethod
    def added(x):
        return x + 1

    @classmethod
    def named(cls):
        return cls.__name__

    @property
    def doubled(self):
        return 2 * self.size

    def helper(self):
        return "helped"


@app.cls()
class Site:
    @modal.fastapi_endpoint()
    def page(self):
        return "page"


#: every way to have a container run it
FACES = {
    "remote": lambda f: f.remote(),
    "remote.aio": lambda f: asyncio.run(f.remote.aio()),
    "map": lambda f: list(f.map([1])),
    "starmap": lambda f: list(f.starmap([()])),
    "for_each": lambda f: f.for_each([1]),
    "spawn": lambda f: f.spawn(),
    "spawn_map": lambda f: f.spawn_map([1]),
}

# ---- decorators


def test_methods_and_hooks_are_told_apart_by_one_sentence():
    sentence = (
        "Interface decorators (@method, @batched, web) cannot be combined with lifecycle decorators (@enter, @exit): "
        "write one function for each"
    )
    batched = modal.batched(max_batch_size=1, wait_ms=0)
    for interface in (modal.method(), batched, modal.fastapi_endpoint(), modal.asgi_app()):
        for hook in (modal.enter(), modal.enter(snap=True), modal.exit()):
            assert refusal(InvalidError, interface, hook(plain)) == sentence
            assert refusal(InvalidError, hook, interface(plain)) == sentence


def test_what_a_web_decorator_cannot_stand_on_is_named():
    async def coroutine(self): ...

    def needs(self, x): ...

    for name, make in (
        ("asgi_app", modal.asgi_app()),
        ("wsgi_app", modal.wsgi_app()),
        ("web_server", modal.web_server(8000)),
    ):
        assert refusal(InvalidError, make, coroutine) == (
            f"@{name} cannot decorate the async function 'coroutine': make it sync"
        )
        assert refusal(InvalidError, make, needs) == (
            f"@{name} cannot decorate 'needs': it must take no arguments besides self"
        )


def test_generators_are_known_by_their_functions():
    methods = {m.name: (m.is_async, m.is_generator) for m in Model.__modal__.spec.methods}
    assert (methods["items"], methods["items_later"]) == ((False, True), (True, True))
    assert (methods["now"], methods["later"]) == ((False, False), (True, False))


def test_an_override_is_served_in_the_place_of_its_base():
    assert (Model().one.local(), Model().two.local()) == ("derived one", "base two")


def test_methods_of_an_undecorated_class_call_each_other_as_python_does():
    class Plain:
        @modal.method()
        def f(self, x):
            return self.g(x) + 1

        @modal.method()
        def g(self, x):
            return 2 * x

    assert Plain().f(3) == 7


# ---- an instance here


@pytest.mark.parametrize("face", FACES)
def test_a_web_endpoint_has_no_other_door(face):
    assert refusal(InvalidError, FACES[face], Site().page) == (
        f"Site.page is a web endpoint (fastapi_endpoint), which cannot be called with .{face.partition('.')[0]}"
    )
    assert Site().page.local() == "page"


def test_a_web_endpoint_is_no_generator_either():
    page = Site().page
    for face in (page.remote_gen, page.remote_gen.aio):
        assert refusal(InvalidError, face) == (
            "Site.page is a web endpoint (fastapi_endpoint), which cannot be called with .remote_gen"
        )


def test_what_is_not_decorated_is_plain_python_on_an_instance_and_on_the_class():
    model = Model(size=5)
    assert (model.added(1), model.named(), model.doubled, model.helper()) == (2, "Model", 10, "helped")
    assert (Model.FLAVOUR, Model.added(1), Model.named()) == ("vanilla", 2, "Model")


def test_what_is_not_decorated_is_usable_in_a_container(home):
    with app.run():
        assert Model(size=5).helped.remote() == (2, "Model", 10, "helped", "vanilla")


def test_local_runs_enter_hooks_once_for_sync_and_async_methods_alike_and_nothing_else():
    model = Model()
    assert not hasattr(model, "loaded")
    assert asyncio.run(model.later.local()) == (1, True)
    assert model.now.local() == (1, True)
    assert asyncio.run(model.later.local()) == (1, True)
    assert Model().now.local() == (1, True)
    assert ended == []


def test_a_method_is_called_by_a_door():
    sentence = (
        "Model.one is not callable: write .one.remote(...) to run it in a container, "
        "or .one.local(...) to run it here"
    )
    assert refusal(TypeError, Model().one) == sentence
    assert refusal(TypeError, Model().one, 1, x=2) == sentence


# ---- the class


def test_a_method_of_the_class_names_the_instance_that_was_forgotten():
    sentence = (
        "Model.one belongs to an instance. Did you forget to instantiate the class? "
        "Write Model().one.remote(...)"
    )
    for use in (*FACES.values(), lambda f: f(), lambda f: f.local(), lambda f: f.remote_gen()):
        assert refusal(AttributeError, use, Model.one) == sentence


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("colour", "type object 'Model' has no attribute 'colour'"),
        ("size", "'size' is a parameter: only instances such as Model(size=...) have a value"),
        ("load", "'load' of Model is a lifecycle hook: containers call it, nobody else does"),
        ("_repr_html_", "<Cls Model of app 'parity'> has no attribute '_repr_html_'"),
    ],
)
def test_other_names_of_the_class_are_attribute_errors(name, sentence):
    assert refusal(AttributeError, getattr, Model, name) == sentence


# ---- where nothing runs, and where nothing is


@pytest.mark.parametrize("face", FACES)
def test_every_door_of_an_app_that_does_not_run_says_how_to_run_it(face):
    assert refusal(ExecutionError, FACES[face], Model().one) == (
        "the app 'parity' is not running: put the call inside `with app.run():`. (In a notebook or IPython an app runs "
        "by itself from its first use.)"
    )


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("environment", [None, "dev"])
def test_every_door_of_a_class_that_is_not_found_names_it(home, face, environment):
    found = modal.Cls.from_name("shop", "Till", environment_name=environment)
    where = f" in the {environment!r} environment" if environment else ""
    why = (
        f"there is no environment {environment!r} here (there is main): create it by `modal-nb environment create dev`"
        if environment
        else "no app 'shop' is deployed in the 'main' environment"
    )
    assert refusal(NotFoundError, FACES[face], found(1, size=2).any_name) == (
        f"Lookup failed for Cls 'Till' from the 'shop' app{where}: {why}"
    )


def test_a_class_that_is_looked_up_has_no_local_instance():
    assert refusal(ExecutionError, modal.Cls.from_name("shop", "Till")().open.local) == (
        "Till was not defined here, so there is no local instance: use .remote() on its methods"
    )
