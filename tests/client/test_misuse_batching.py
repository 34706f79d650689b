"""Batches, concurrency and retries declared wrongly: refused where they are written, by what they are called."""

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


# ---- numbers


SIZES = [
    ({"max_batch_size": 0}, "`max_batch_size` must be between 1 and 1000, not 0"),
    ({"max_batch_size": 1001}, "`max_batch_size` must be between 1 and 1000, not 1001"),
    ({"max_batch_size": "4"}, "`max_batch_size` must be an int"),
    ({"max_batch_size": 2.0}, "`max_batch_size` must be an int"),
    ({"max_batch_size": True}, "`max_batch_size` must be an int"),
    ({"max_batch_size": None}, "`max_batch_size` must be an int"),
    ({"wait_ms": -1}, "`wait_ms` must be between 0 and 600000, not -1"),
    ({"wait_ms": 600_001}, "`wait_ms` must be between 0 and 600000, not 600001"),
    ({"wait_ms": 0.5}, "`wait_ms` must be an int"),
    ({"wait_ms": None}, "`wait_ms` must be an int"),
]


@pytest.mark.parametrize(("given", "sentence"), SIZES, ids=str)
def test_a_size_or_a_wait_that_cannot_be_is_refused_on_a_method_and_on_a_variant(app, given, sentence):
    @app.cls()
    class Model: ...

    assert refusal(InvalidError, lambda: batched(**given)).startswith(sentence)
    given = {"max_batch_size": 2, "wait_ms": 1, **given}
    assert refusal(InvalidError, lambda: Model.with_batching(**given)).startswith(sentence)


@pytest.mark.parametrize(
    "given", [{"max_batch_size": 1, "wait_ms": 0}, {"max_batch_size": 1000, "wait_ms": 600_000}]
)
def test_the_ends_of_the_ranges_are_in_them(app, given):
    @app.cls()
    class Model:
        many = modal.batched(**given)(plain)

    assert Model.__modal__.spec.methods[0].batching == Model.with_batching(**given).__modal__.options.batching


def test_both_numbers_are_asked_for():
    assert "wait_ms" in refusal(TypeError, lambda: modal.batched(max_batch_size=2))
    assert "max_batch_size" in refusal(TypeError, lambda: modal.batched(wait_ms=2))


def test_a_variant_takes_keywords_only(app):
    @app.cls()
    class Model: ...

    assert "positional argument" in refusal(TypeError, lambda: Model.with_batching(2, 1))
    assert "positional argument" in refusal(TypeError, lambda: Model.with_concurrency(2))


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


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_generator_has_no_batches(app, kind):
    def generator(self, xs):
        yield from xs

    async def async_generator(self, xs):
        for x in xs:
            yield x

    class Model:
        items = batched(generator if kind == "plain" else async_generator)

    assert "@batched cannot stand on the generator 'items'" in refusal(InvalidError, app.cls(), Model)


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


# ---- retries


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (-1, "`retries` must be at least 0, not -1"),
        ("2", "`retries` must be an int or a modal_nb.Retries, not '2' (str)"),
        (True, "`retries` must be an int or a modal_nb.Retries, not True (bool)"),
        (2.0, "`retries` must be an int or a modal_nb.Retries, not 2.0 (float)"),
    ],
)
def test_what_is_no_policy_is_refused_on_a_class_and_on_a_variant(app, wrong, sentence):
    @app.cls()
    class Model: ...

    assert refusal(InvalidError, lambda: app.cls(retries=wrong)) == sentence
    assert refusal(InvalidError, lambda: Model.with_options(retries=wrong)) == sentence


@pytest.mark.parametrize(
    ("on", "named"),
    [
        ((), "()"),
        ("ValueError", "'ValueError'"),
        ((ValueError, 3), "(int)"),
        (ValueError(), "(ValueError)"),
        (int, "int"),
    ],
    ids=str,
)
def test_on_names_exception_classes(on, named):
    sentence = refusal(InvalidError, lambda: modal.Retries(max_retries=1, on=on))
    assert sentence.startswith("`on` must")
    assert named in sentence


def test_a_policy_is_a_value(app):
    one = modal.Retries(max_retries=2, on=ValueError)
    assert (
        one == modal.Retries(max_retries=2, on=(ValueError,)) == modal.Retries(max_retries=2, on=[ValueError])
    )
    assert one != modal.Retries(max_retries=2, on=(ValueError, OSError))
    with pytest.raises(AttributeError):
        one.max_retries = 3
