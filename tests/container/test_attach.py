from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from jupyter_client.manager import KernelManager

from modal_nb.container.attach import Attachment
from tests.container.processes import Supervised

Make = Callable[..., Supervised]
WAIT = 60


@contextmanager
def client_of(connection_file: Any) -> Iterator[BlockingKernelClient]:
    client = BlockingKernelClient(connection_file=str(connection_file))
    client.load_connection_file()
    client.start_channels()
    try:
        yield client
    finally:
        client.stop_channels()
        client.context.destroy(linger=0)


def start(supervised: Make, asked: str, **options: Any) -> Supervised:
    container = supervised(asked, entry="attachable", **options)
    container.start()
    container.await_said("there")
    return container


def ask_control(client: BlockingKernelClient, msg_type: str) -> dict[str, Any]:
    client.control_channel.send(client.session.msg(msg_type, {}))
    reply: dict[str, Any] = client.control_channel.get_msg(timeout=WAIT)
    return reply


def call(client: BlockingKernelClient, content: dict[str, Any], buffers: list[bytes]) -> dict[str, Any]:
    message = client.session.msg("call_request", content)
    client.session.send(client.shell_channel.socket, message, buffers=buffers)
    return reply_to(client, message["msg_id"])


def reply_to(client: BlockingKernelClient, asked: str) -> dict[str, Any]:
    """wait_for_ready may ask twice and leave an answer behind."""
    while True:
        reply: dict[str, Any] = client.get_shell_msg(timeout=WAIT)
        if reply["parent_header"]["msg_id"] == asked:
            return reply


def printed(client: BlockingKernelClient, code: str) -> str:
    output: list[str] = []
    hook = lambda message: output.append(message["content"].get("text", ""))
    reply = client.execute_interactive(code, timeout=WAIT, output_hook=hook)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(output)


def test_a_client_finds_the_instance_as_self(supervised: Make, namespace: bool):
    container = start(supervised, "idle", namespace=namespace)
    threads = container.kernel.num_threads()
    assert threads == 1, "no channel is up before somebody wants one"
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        assert printed(client, "print(self.colour)") == "green\n"
    container.await_said("green")  # the log has it too


def test_a_second_client_finds_the_same_kernel(supervised: Make):
    container = start(supervised, "idle")
    for number in (1, 2):
        with client_of(container.connection_file) as client:
            client.wait_for_ready(timeout=WAIT)
            assert printed(client, "seen = globals().get('seen', 0) + 1\nprint(seen)") == f"{number}\n"


def test_a_client_comes_in_while_a_method_runs(supervised: Make, namespace: bool):
    container = start(supervised, "busy", namespace=namespace)
    with client_of(container.connection_file) as client:
        assert ask_control(client, "usage_request")["msg_type"] == "usage_reply"
        assert ask_control(client, "interrupt_request")["content"]["status"] == "ok"
        container.await_said("method interrupted")
        client.wait_for_ready(timeout=WAIT)
        assert printed(client, "print(self.colour)") == "green\n"


def test_an_interrupt_hits_the_cell_that_runs_and_nothing_else(supervised: Make):
    container = start(supervised, "idle")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        for cell, error in (
            ("import time\nprint('on')\ntime.sleep(1000)", "KeyboardInterrupt"),
            ("import asyncio\nprint('on')\nawait asyncio.sleep(1000)", "CancelledError"),
        ):
            asked = client.execute(cell, stop_on_error=False)
            said = ""
            while "on" not in said:  # a line may come in two messages
                said += client.get_iopub_msg(timeout=WAIT)["content"].get("text", "")
            ask_control(client, "interrupt_request")
            assert reply_to(client, asked)["content"]["ename"] == error
        ask_control(client, "interrupt_request")
        assert printed(client, "print('alive')") == "alive\n"


def test_call_request_is_served_on_the_shell_channel(supervised: Make):
    container = start(supervised, "idle")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        reply = call(client, {"method": "reverse"}, [b"abc", b""])
        assert reply["msg_type"] == "call_reply"
        assert reply["content"] == {"status": "ok", "asked": {"method": "reverse"}}
        assert [bytes(buffer) for buffer in reply["buffers"]] == [b"cba", b""]
        failed = call(client, {"fail": "no such method"}, [])["content"]
        assert (failed["status"], failed["ename"], failed["evalue"]) == (
            "error",
            "ValueError",
            "no such method",
        )


def test_a_message_with_a_wrong_key_is_ignored(supervised: Make):
    container = start(supervised, "idle")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        key, client.session.key = client.session.key, b"wrong"
        client.session.send(client.shell_channel.socket, client.session.msg("call_request", {}))
        client.session.key = key
        assert call(client, {"n": 1}, [])["content"]["asked"] == {"n": 1}


def test_a_shutdown_request_tells_the_container_to_end(supervised: Make):
    container = start(supervised, "idle")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        assert ask_control(client, "shutdown_request")["content"]["status"] == "ok"
    container.await_said("told to end")
    said = container.read_exit()
    assert said is not None
    assert said.code == 0


def test_main_stays_what_it_was(supervised: Make):
    container = start(supervised, "idle")
    with client_of(container.connection_file) as client:
        client.wait_for_ready(timeout=WAIT)
        assert printed(client, "import sys; print(sys.modules['__main__'].__spec__.name)").startswith(
            "modal_nb.container"
        )


def test_jupyter_console_attaches(supervised: Make):
    container = start(supervised, "idle")
    console = [
        sys.executable,
        "-m",
        "jupyter_console",
        "--simple-prompt",
        "--existing",
        str(container.connection_file),
    ]
    cells = "print(self.colour * 2)\nexit\n"
    ran = subprocess.run(console, input=cells, capture_output=True, text=True, timeout=WAIT, check=False)
    assert "greengreen" in ran.stdout, ran.stderr
    assert container.launcher.is_running()


def test_a_transport_without_a_path_is_refused(tmp_path: Any):
    connection_file, _ = write_connection_file(str(tmp_path / "k.json"), transport="tcp")
    with pytest.raises(ValueError, match="transport 'tcp': a container needs 'ipc'"):
        Attachment(connection_file, {})


def test_chosen_by_hand_it_is_a_plain_kernel(short_folder: Any):
    manager = KernelManager(
        kernel_name="modal-nb-local", transport="ipc", connection_file=str(short_folder / "k.json")
    )
    manager.start_kernel(env={**os.environ})
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=WAIT)
        assert printed(client, "print(6 * 7)") == "42\n"
        client.stop_channels()
    finally:
        manager.shutdown_kernel(now=True)
        manager.context.destroy(linger=0)
