"""Where the values of secrets are read."""

from __future__ import annotations

import pytest

from modal_nb.client.secrets import environment, parse_dotenv, resolve
from modal_nb.exception import InvalidError, NotFoundError
from modal_nb.spec.options import Options
from modal_nb.spec.secret import Secret


def test_later_ones_win_and_env_wins_over_all(monkeypatch):
    monkeypatch.setenv("B", "local")
    options = Options(
        secrets=(Secret.from_dict({"A": "1", "B": "1", "C": "1"}), Secret.from_local_environ(["B"])),
        env=(("C", "env"),),
    )
    assert environment(options) == {"A": "1", "B": "local", "C": "env"}


def test_a_missing_local_variable_is_named(monkeypatch):
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(InvalidError, match="'NOT_THERE' not set in the local environment"):
        resolve(Secret.from_local_environ(["NOT_THERE"]))


def test_a_dotenv_file_is_found_upwards(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("A=1\n")
    deep = tmp_path / "x" / "y"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert resolve(Secret.from_dotenv()) == {"A": "1"}
    assert resolve(Secret.from_dotenv(str(deep))) == {"A": "1"}
    assert resolve(Secret.from_dotenv(str(tmp_path / ".env"))) == {"A": "1"}


def test_a_missing_dotenv_file_is_named(tmp_path):
    with pytest.raises(NotFoundError, match=r"no 'prod.env' in"):
        resolve(Secret.from_dotenv(str(tmp_path), filename="prod.env"))


def test_a_reserved_name_in_a_file_is_refused_when_it_is_read(tmp_path):
    (tmp_path / ".env").write_text("MODAL_ENVIRONMENT=dev\n")
    with pytest.raises(InvalidError) as caught:
        environment(Options(secrets=(Secret.from_dotenv(str(tmp_path)),)))
    assert str(caught.value) == (
        f"<Secret dotenv: {tmp_path}/.env> has the name 'MODAL_ENVIRONMENT', which is reserved for what containers are "
        "told of themselves; give the variable another name"
    )


def test_a_stored_secret_is_not_found():
    with pytest.raises(NotFoundError, match="Secret 'db' not found"):
        resolve(Secret.from_name("db"))


def test_the_lines_of_a_dotenv_file():
    text = """
    # a comment
    A=1
    export B = two words
    C="quoted # no comment\\n" # a comment
    D='single \\n'
    E=plain # a comment
    F=
    no equals
    G="ümlaut"
    """
    assert parse_dotenv(text) == {
        "A": "1",
        "B": "two words",
        "C": "quoted # no comment\n",
        "D": "single \\n",
        "E": "plain",
        "F": "",
        "G": "ümlaut",
    }
