"""Completion of cells for containers: what is evaluated while somebody types, and which connections are kept."""

from __future__ import annotations

import pytest
from jupyter_client.connect import write_connection_file

from modal_nb.views import remote_completion
from modal_nb.views.remote_completion import RemoteCompletion


class Shell:
    """Remembers what it was to evaluate."""

    def __init__(self):
        self.evaluated = []

    def ev(self, expression):
        self.evaluated.append(expression)
        raise NameError(expression)


@pytest.mark.parametrize(
    ("target", "evaluated"),
    [
        ("model", ["model"]),
        ("models.small", ["models.small"]),
        ("make()", []),
        ("models[0]", []),
        ("ct-1", []),
    ],
)
def test_only_names_are_evaluated_because_somebody_types(target, evaluated):
    shell = Shell()
    assert RemoteCompletion(shell).complete(f"%%container {target}\nse", "se") == []
    assert shell.evaluated == evaluated


def test_only_the_newest_connections_are_kept(tmp_path):
    files = [str(tmp_path / f"{number}.json") for number in range(6)]
    for one in files:
        write_connection_file(one, transport="ipc", ip=one)
    completion = RemoteCompletion(Shell())
    clients = [completion._client(one) for one in files]
    assert completion._client(files[-1]) is clients[-1]
    assert [client.channels_running for client in clients] == [False] * 2 + [True] * 4
    for one in files:
        completion._close(one)
    for client in clients:
        client.context.destroy(linger=0)


def test_who_does_not_answer_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(remote_completion, "_PATIENCE", 0.01)
    write_connection_file(file := str(tmp_path / "k.json"), transport="ipc", ip=file)
    completion = RemoteCompletion(Shell())
    client = completion._client(file)
    with pytest.raises(TimeoutError):
        completion._asked(file, "se")
    assert not client.channels_running
    client.context.destroy(linger=0)
