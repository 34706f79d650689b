"""Decorators used wrongly: Modal's exception type and a sentence with the remedy."""

from __future__ import annotations

import pytest

import modal_nb as modal
from modal_nb.exception import DeprecationError, InvalidError, UsageError


@pytest.fixture
def app():
    return modal.App("misuse")


def refusal(kind, make, *args):
    with pytest.raises(kind) as caught:
        make(*args)
    return str(caught.value)


def plain(self): ...


# ---- parentheses and positional arguments


@pytest.mark.parametrize(
    "name", ["method", "enter", "exit", "batched", "concurrent", "fastapi_endpoint", "asgi_app"]
)
def test_missing_parentheses_name_the_fix(name):
    with pytest.raises(UsageError) as caught:
        # a bare @batched lacks its keywords too: that is what Python says first
        getattr(modal, name)(
            plain,
            **{"batched": {"max_batch_size": 1, "wait_ms": 1}, "concurrent": {"max_inputs": 1}}.get(name, {}),
        )
    assert (
        f"Positional arguments are not allowed in @{name}. Did you forget parentheses? Write @modal_nb.{name}("
        in str(caught.value)
    )
    assert isinstance(caught.value, InvalidError)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("name", ["batched", "concurrent"])
def test_missing_parentheses_and_keywords(name):
    assert "Did you forget parentheses?" in refusal(UsageError, getattr(modal, name), plain)


def test_missing_keywords():
    assert "max_inputs" in refusal(TypeError, modal.concurrent)
    assert "max_batch_size" in refusal(TypeError, modal.batched)


def test_app_cls_without_parentheses(app):
    class Model: ...

    sentence = refusal(UsageError, app.cls, Model)
    assert sentence.startswith("Positional arguments are not allowed in @app.cls, got <class ")
    assert sentence.endswith("Did you forget parentheses? Write @app.cls().")
    assert "@app.function" in refusal(UsageError, app.function, plain)


def test_app_cls_takes_no_positional_arguments(app):
    assert "not allowed in @app.cls, got 3" in refusal(UsageError, app.cls, 3)


def test_parameter_takes_keywords_only():
    assert "keyword arguments only" in refusal(UsageError, modal.parameter, 3)


# ---- what a mark can stand on


def test_a_method_has_one_interface():
    sentence = "Interface decorators cannot be set twice: 'plain' has one already; keep one of them"
    assert refusal(InvalidError, modal.method(), modal.method()(plain)) == sentence
    assert refusal(InvalidError, modal.method(), modal.fastapi_endpoint()(plain)) == sentence
    assert refusal(InvalidError, modal.asgi_app(), modal.method()(plain)) == sentence


@pytest.mark.parametrize("hook", [modal.enter, modal.exit])
@pytest.mark.parametrize("interface", [modal.method, modal.fastapi_endpoint])
def test_methods_and_hooks_do_not_mix_in_either_order(hook, interface):
    for make, part in ((hook(), interface()(plain)), (interface(), hook()(plain))):
        sentence = refusal(InvalidError, make, part)
        assert sentence.startswith(
            "Interface decorators (@method, @batched, web) cannot be combined with lifecycle"
        )


def test_a_function_is_one_hook():
    assert "Lifecycle decorators cannot be set twice" in refusal(
        InvalidError, modal.enter(), modal.exit()(plain)
    )


@pytest.mark.parametrize("make", [modal.method, modal.enter, modal.exit])
def test_marks_stand_on_methods(make):
    class Model: ...

    assert (
        "cannot decorate the class 'Model': decorate its methods, and the class with @app.cls()"
        in refusal(InvalidError, make(), Model)
    )
    assert "cannot decorate a staticmethod" in refusal(InvalidError, make(), staticmethod(plain))
    assert "cannot decorate a property" in refusal(InvalidError, make(), property(plain))
    assert "cannot decorate 3: it needs a function" in refusal(InvalidError, make(), 3)


def test_enter_and_method_check_their_flags():
    assert "`snap` must be True or False, not 'yes'" in refusal(InvalidError, lambda: modal.enter(snap="yes"))
    assert "`is_generator` must be" in refusal(InvalidError, lambda: modal.method(is_generator=3))


def test_batches_are_bounded():
    make = lambda: modal.batched(max_batch_size=1001, wait_ms=1)
    assert refusal(InvalidError, make) == "`max_batch_size` must be between 1 and 1000, not 1001"


def test_a_batched_method_stands_alone(app):
    class Two:
        @modal.batched(max_batch_size=2, wait_ms=1)
        def one(self, xs): ...

        @modal.method()
        def other(self): ...

    class Both:
        @modal.batched(max_batch_size=2, wait_ms=1)
        def one(self, xs): ...

        @modal.batched(max_batch_size=2, wait_ms=1)
        def two(self, xs): ...

    assert "Two has the batched method 'one' and so may have no other method (it has: one, other)" in refusal(
        InvalidError, app.cls(), Two
    )
    assert "Both has the batched method 'one'" in refusal(InvalidError, app.cls(), Both)


# ---- concurrent


def test_concurrent_on_a_method_says_to_decorate_the_class(app):
    assert "decorate the class" in refusal(
        InvalidError, modal.concurrent(max_inputs=2), modal.method()(plain)
    )

    def marked(self): ...

    modal.concurrent(max_inputs=2)(marked)
    assert "decorate the class" in refusal(InvalidError, modal.method(), marked)


def test_concurrent_above_app_cls_says_to_swap(app):
    @app.cls()
    class Model: ...

    assert "If it is above, swap the order." in refusal(InvalidError, modal.concurrent(max_inputs=2), Model)


def test_concurrent_checks_its_numbers():
    make = lambda: modal.concurrent(max_inputs=2, target_inputs=3)
    assert "`target_inputs` (3) cannot be greater than `max_inputs` (2)" in refusal(InvalidError, make)


# ---- web


@pytest.mark.parametrize("make", [modal.asgi_app, modal.wsgi_app, lambda: modal.web_server(8000)])
def test_web_apps_are_sync_and_take_nothing(make):
    async def coroutine(self): ...

    def needs(self, x): ...

    assert "make it sync" in refusal(InvalidError, make(), coroutine)
    assert "it must take no arguments besides self" in refusal(InvalidError, make(), needs)


def test_a_web_server_needs_a_port():
    assert "needs a port" in refusal(UsageError, modal.web_server, plain)
    assert "`port` must be between 1 and 65535, not 0" in refusal(InvalidError, modal.web_server, 0)


# ---- @app.cls


def test_only_classes_are_decorated(app):
    assert "@app.cls() decorates a class, not 3" in refusal(TypeError, app.cls(), 3)
    assert "for a function use @app.function()" in refusal(TypeError, app.cls(), plain)


def test_a_class_is_decorated_once(app):
    @app.cls()
    class Model: ...

    assert "cannot be decorated twice" in refusal(TypeError, app.cls(), Model)


def test_a_custom_init_is_refused_also_when_inherited(app):
    class Base:
        def __init__(self, x): ...

    class Model(Base): ...

    for kind in (Base, Model):
        sentence = refusal(InvalidError, app.cls(), kind)
        assert sentence.startswith(f"{kind.__name__} has a custom __init__")
        assert "modal_nb.parameter()" in sentence
        assert "@modal_nb.enter()" in sentence


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("keep_warm", "min_containers"),
        ("concurrency_limit", "max_containers"),
        ("container_idle_timeout", "scaledown_window"),
        ("allow_concurrent_inputs", "concurrent"),
    ],
)
def test_old_spellings_name_the_new_word(app, old, new):
    assert new in refusal(DeprecationError, lambda: app.cls(**{old: 1}))
    assert new in refusal(DeprecationError, lambda: app.function(**{old: 1}))


@pytest.mark.parametrize("name", ["name", "schedule", "is_generator"])
def test_keywords_of_functions_are_none_of_classes(app, name):
    assert f"got an unexpected keyword argument '{name}'" in refusal(
        TypeError, lambda: app.cls(**{name: "x"})
    )


def test_a_misspelt_keyword_is_guessed(app):
    assert "did you mean 'min_containers'?" in refusal(TypeError, lambda: app.cls(min_container=1))


def test_options_are_refused_at_the_line_of_the_decorator(app):
    assert "`scaledown_window` must be between 2 and 3600, not 1" in refusal(
        InvalidError, lambda: app.cls(scaledown_window=1)
    )


# ---- what is gone


@pytest.mark.parametrize(
    ("old", "new"), [("Stub", "App"), ("web_endpoint", "fastapi_endpoint"), ("build", "enter(snap=True)")]
)
def test_names_that_are_gone_say_the_new_word(old, new):
    assert new in refusal(DeprecationError, getattr(modal, old), "x")
    assert old not in dir(modal)


def test_lookup_says_from_name():
    assert refusal(AttributeError, lambda: modal.Cls.lookup) == (
        "Cls.lookup is gone: use Cls.from_name(app_name, name)"
    )
    assert refusal(AttributeError, lambda: modal.Function.lookup) == (
        "Function.lookup is gone: use Function.from_name(app_name, name), or Cls.from_name for a class"
    )


def test_an_unknown_name_of_the_face():
    assert "module 'modal_nb' has no attribute 'Klass'" in refusal(AttributeError, lambda: modal.Klass)
