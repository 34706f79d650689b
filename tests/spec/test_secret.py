"""Secrets say where values come from and never show them."""

from __future__ import annotations

import uuid

import pytest

from modal_nb.exception import InvalidError
from modal_nb.spec.secret import Secret, environment, variables


def test_no_repr_shows_a_value():
    secret = Secret.from_dict({"TOKEN": "hush"})
    assert repr(secret) == "<Secret TOKEN>"
    assert "hush" not in f"{secret.source!r} {secret!s} {[secret]}"


def test_none_leaves_a_variable_out():
    assert environment("env", {"A": "1", "B": None}) == (("A", "1"),)


@pytest.mark.parametrize("wrong", [{"A": 1}, {"A": b"x"}, {"A": ["x"]}, {"A": "nul\0"}])
def test_a_wrong_value_is_named_and_not_shown(wrong):
    with pytest.raises(InvalidError) as caught:
        Secret.from_dict(wrong)
    assert "for 'A'; values are strings or None" in str(caught.value)
    assert "nul" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (1, "an int"),
        (b"x", "a bytes"),
        (["x"], "a list"),
        (object(), "an object"),
        (int, "a class int"),
        (uuid.UUID(int=1), "a UUID"),
    ],
)
def test_the_type_of_a_wrong_value_has_its_article(value, named):
    with pytest.raises(InvalidError) as caught:
        environment("env", {"A": value})
    assert str(caught.value) == f"`env` has {named} for 'A'; values are strings or None"


def test_reserved_names_are_free_where_no_container_sees_them():
    assert variables("build_args", {"MODAL_REGION": "eu"}) == (("MODAL_REGION", "eu"),)


@pytest.mark.parametrize("wrong", [{1: "x"}, {"": "x"}, {"A=B": "x"}, {"A\0": "x"}])
def test_a_wrong_name_is_refused(wrong):
    with pytest.raises(InvalidError, match="names are non-empty strings without '='"):
        Secret.from_dict(wrong)


def test_not_a_dict():
    with pytest.raises(InvalidError, match="`env` must be a dict of str to str, not 'A=1'"):
        environment("env", "A=1")


def test_names_of_variables_are_a_list():
    assert Secret.from_local_environ(["A", "B"]).source.names == ("A", "B")
    with pytest.raises(InvalidError, match="`env_keys` must be a list of strings, not 'A'"):
        Secret.from_local_environ("A")


def test_a_stored_secret_has_a_name():
    assert Secret.from_name("db", required_keys=["URL"]).source.required_keys == ("URL",)
    with pytest.raises(InvalidError, match="Invalid Secret name"):
        Secret.from_name("")


def test_equal_secrets_are_equal():
    assert Secret.from_dict({"A": "1"}) == Secret.from_dict({"A": "1"})
