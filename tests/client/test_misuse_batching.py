"""What a batched method may stand beside, and what its mark is worth; its numbers are checked in test_misuse_modes."""

from __future__ import annotations

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError


@pytest.fixture
def app():
    return modal.App("misuse")


def refusal(kind, make, *args):
    with pytest.raises(kind) as caught:
        make(*args)
    return str(caught.value)


def plain(self, xs): ...


def batched(function=None, **given):
    mark = modal.batched(**{"max_batch_size": 2, "wait_ms": 1, **given})
    return mark if function is None else mark(function)


# ---- marks


def test_a_batched_method_has_no_other_mark():
    for make in (
        lambda: modal.method()(batched(plain)),
        lambda: batched(modal.method()(plain)),
        lambda: batched(batched(plain)),
    ):
        assert "Interface decorators cannot be set twice: 'plain' has one already" in refusal(
            InvalidError, make
        )
    for make in (lambda: modal.enter()(batched(plain)), lambda: batched(modal.exit()(plain))):
        assert "cannot be combined with lifecycle decorators" in refusal(InvalidError, make)
    assert "decorate the class with it" in refusal(
        InvalidError, modal.concurrent(max_inputs=2), batched(plain)
    )


def test_a_batched_method_is_the_only_one_of_its_class_also_where_the_others_are_inherited(app):
    class Base:
        @modal.method()
        def other(self): ...

    class Model(Base):
        many = batched(plain)

    sentence = refusal(InvalidError, app.cls(), Model)
    assert sentence.startswith("Model has the batched method 'many' and so may have no other method")
    assert "other" in sentence


def test_hooks_and_plain_functions_may_stand_beside_it(app):
    @app.cls()
    class Model:
        many = batched(plain)

        @modal.enter()
        def load(self): ...

        @modal.exit()
        def close(self): ...

        def helper(self): ...

    assert [method.name for method in Model.__modal__.spec.methods] == ["many"]


def test_an_override_without_a_mark_is_no_batched_method(app):
    class Base:
        many = batched(plain)

    @app.cls()
    class Model(Base):
        def many(self, xs): ...

        @modal.method()
        def other(self): ...

    assert [(m.name, m.batching) for m in Model.__modal__.spec.methods] == [("other", None)]


def test_on_a_class_that_is_not_served_it_is_plain_python():
    class Plain:
        @modal.batched(max_batch_size=2, wait_ms=1)
        def double(self, xs):
            return [2 * x for x in xs]

    assert Plain().double([1, 2, 3]) == [2, 4, 6]


def test_a_batched_method_is_no_generator_for_its_callers(app):
    @app.cls()
    class Model:
        many = batched(plain)

    assert "is not a generator, so it cannot be called with .remote_gen" in refusal(
        InvalidError, lambda: Model().many.remote_gen(1)
    )


def test_it_is_not_called_directly(app):
    @app.cls()
    class Model:
        many = batched(plain)

    assert "write .many.remote(...)" in refusal(TypeError, lambda: Model().many([1]))
