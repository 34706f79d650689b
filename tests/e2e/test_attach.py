"""Jupyter's own clients reach into a container that serves, and may call it."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

import modal_nb as modal
from modal_nb.exception import InvalidError, NotFoundError
from modal_nb.runtime.payload import dumps_arguments
from modal_nb.runtime.reply import read_reply
from tests.e2e.home import until

app = modal.App("attach")
WAIT = 60


@app.cls(min_containers=1, max_containers=1)
class Model:
    colour: str = modal.parameter(default="green")

    @modal.enter()
    def load(self):
        self.calls = 0

    @modal.method()
    def add(self, x, y=1, *, z=0):
        self.calls += 1
        return x + y + z

    @modal.method()
    async def add_async(self, x):
        return x + 1

    @modal.method()
    def fail(self):
        raise LookupError("on purpose")

    @modal.method()
    def lock(self):
        return threading.Lock()

    @modal.method()
    def told(self):
        return self.colour, self.calls


@app.cls(max_containers=1)
class Batched:
    @modal.batched(max_batch_size=4, wait_ms=0)
    def double(self, numbers):
        return [2 * number for number in numbers]


@pytest.fixture(scope="module")
def model(home):
    with app.run():
        yield Model()


@contextmanager
def client_of(connection_file: str) -> Iterator[BlockingKernelClient]:
    client = BlockingKernelClient(connection_file=connection_file)
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=WAIT)
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


@pytest.fixture(scope="module")
def client(model, home):
    model.told.remote()
    (container,) = home.containers("Model")
    with client_of(container.connection_file) as found:
        yield found


def printed(client, code):
    output = []
    reply = client.execute_interactive(
        code, timeout=WAIT, output_hook=lambda message: output.append(message["content"].get("text", ""))
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(output)


def test_a_client_finds_the_live_object_as_self_and_what_it_changes_counts(model, client):
    model.add.remote(1)
    colour, calls = model.told.remote()
    assert printed(client, "print(self.colour, self.calls)") == f"{colour} {calls}\n"
    printed(client, "self.colour = 'red'")
    assert model.told.remote() == ("red", calls)
    printed(client, "self.colour = 'green'")


def test_a_jupyter_console_attaches_and_leaves_the_container_serving(model, home):
    model.told.remote()
    (container,) = home.containers("Model")
    command = [
        sys.executable,
        "-m",
        "jupyter_console",
        "--simple-prompt",
        "--existing",
        container.connection_file,
    ]
    cells = "print(self.colour * 2)\nexit\n"
    ran = subprocess.run(command, input=cells, capture_output=True, text=True, timeout=WAIT, check=False)
    assert "greengreen" in ran.stdout, ran.stderr
    assert "keeping kernel alive" in ran.stdout
    assert model.add.remote(1) == 2
    assert home.ids("Model") == {container.id}


def test_cells_and_calls_may_come_at_the_same_time(model, client):
    results = []
    caller = threading.Thread(target=lambda: results.extend(model.add.map(range(500))))
    caller.start()
    for i in range(10):
        assert printed(client, f"print({i})") == f"{i}\n"
    caller.join()
    assert results == [i + 1 for i in range(500)]


# -- one contract for both ways -------------------------------------------------------------------------------------


def by_stream(model, client):
    """The way of every call: through the supervisor."""
    return lambda method, *args, **kwargs: getattr(model, method).remote(*args, **kwargs)


def by_shell(model, client):
    """A call_request on the stock shell channel."""

    def call(method, *args, **kwargs):
        message = client.session.msg("call_request", {"method": method, "call": f"fc-{uuid.uuid4().hex}"})
        frames = dumps_arguments(args, kwargs, method=method)
        client.session.send(client.shell_channel.socket, message, buffers=list(frames))
        while True:
            reply = client.get_shell_msg(timeout=WAIT)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                break
        assert reply["msg_type"] == "call_reply"
        content = reply["content"]
        ((ok, value),) = read_reply(content["status"], content, reply["buffers"])
        if ok:
            return value
        raise value

    return call


@pytest.fixture(params=[by_stream, by_shell])
def call(request, model, client):
    return request.param(model, client)


def test_arguments_and_results_are_the_same_over_both_ways(call):
    assert call("add", 1) == 2
    assert call("add", "a", "b", z="c") == "abc"
    assert call("add", x=1, y=2) == 3
    assert call("add_async", 41) == 42
    assert call("add", b"x" * 400_000, b"y", z=b"") == b"x" * 400_000 + b"y"
    array = call("add", np.arange(100_000.0))
    assert array[-1] == 100_000.0
    array[0] = 5.0


def test_failures_are_the_same_over_both_ways(call):
    with pytest.raises(LookupError, match="on purpose") as caught:
        call("fail")
    assert caught.traceback[-1].name == "fail"
    with pytest.raises(TypeError, match=r"The result of Model\.lock \(a _thread\.lock\) cannot be pickled"):
        call("lock")
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'x'"):
        call("add")


def test_a_batched_method_gets_a_list_over_both_ways(model, home):
    batched = Batched()
    assert batched.double.remote(21) == 42
    (container,) = home.containers("Batched")
    with client_of(container.connection_file) as client:
        assert by_shell(batched, client)("double", 4) == 8


def test_a_call_of_a_method_that_is_not_there_is_refused_on_the_shell_channel(model, client):
    with pytest.raises((NotFoundError, InvalidError), match="Model has no method 'nowhere'"):
        by_shell(model, client)("nowhere")


def test_a_shutdown_request_runs_exit_hooks_and_the_pool_starts_another(model, home):
    model.told.remote()
    (container,) = home.containers("Model")
    with client_of(container.connection_file) as found:
        found.control_channel.send(found.session.msg("shutdown_request", {"restart": False}))
        assert found.control_channel.get_msg(timeout=WAIT)["content"]["status"] == "ok"
    until(lambda: container.id not in home.ids("Model"))
    assert model.add.remote(1) == 2
