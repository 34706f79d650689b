"""Commands of a front end that are refused before anybody is asked: it may be anything that speaks to the comm."""

from __future__ import annotations

import pytest

from modal_nb.exception import ConflictError, InvalidError
from modal_nb.views.commands import perform
from modal_nb.views.pool_model import PoolModel
from tests.views.reports import container, report


class Nobody:
    """A session that must not be asked."""

    apps = ()

    def ask(self, *_):
        raise AssertionError("the supervisor was asked")


def do(name, arguments=None, pool=3, connection="connected"):
    model = PoolModel()
    containers = [container("a"), container("b", state="dead")]
    model.replace(connection, "it is gone", {3: report(3, containers=containers), 4: report(4, state="gone")})
    perform(
        Nobody(), model, {"pool": pool, "name": name, "arguments": {} if arguments is None else arguments}
    )


@pytest.mark.parametrize("pool", [4, 5, None, "3", [3], {"a": 1}, 3.5])
def test_a_pool_that_is_not_shown_or_has_ended(pool):
    with pytest.raises(ConflictError, match="this pool has ended"):
        do("start_container", pool=pool)


@pytest.mark.parametrize("name", ["", "stop", None, 7, ["kill_container"], "__class__"])
def test_a_command_that_does_not_exist(name):
    with pytest.raises(InvalidError, match="there is no command"):
        do(name)


@pytest.mark.parametrize("arguments", ["text", [1], 7, None.__class__])
def test_arguments_that_have_no_names(arguments):
    with pytest.raises(InvalidError, match="arguments by name"):
        do("update_autoscaler", arguments)


@pytest.mark.parametrize(
    "arguments", [{"id": "b"}, {"container": "b"}, {"id": "zz"}, {"id": None}, {"id": ["a"]}, {}]
)
@pytest.mark.parametrize("name", ["drain_container", "kill_container"])
def test_a_container_that_is_not_there_any_more(name, arguments):
    with pytest.raises(ConflictError, match="this container has ended already"):
        do(name, arguments)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "at least one of them"),
        ({"retries": 1}, "not 'retries'"),
        ({"min_containers": "two"}, "`min_containers` must be an int, not 'two' "),
        ({"min_containers": -1}, "`min_containers` must be at least 0, not -1"),
        ({"min_containers": 1.5}, "`min_containers` must be an int, not 1.5"),
        ({"min_containers": True}, "`min_containers` must be an int, not True"),
        ({"min_containers": None}, "`min_containers` must be an int, not empty"),
        ({"max_containers": 0}, "`max_containers` must be at least 1, not 0"),
        ({"scaledown_window": 1}, "`scaledown_window` must be between 2 and 3600, not 1"),
        ({"scaledown_window": 3601}, "`scaledown_window` must be between 2 and 3600, not 3601"),
    ],
)
def test_settings_that_do_not_fit(arguments, sentence):
    with pytest.raises(InvalidError) as caught:
        do("update_autoscaler", arguments)
    assert sentence in str(caught.value)


def test_without_a_connection_nothing_is_done():
    with pytest.raises(ConflictError, match="it is gone"):
        do("start_container", connection="lost")
