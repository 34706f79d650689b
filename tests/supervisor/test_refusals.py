"""What must not come in by the supervisor's socket: refused, counted, logged, and nothing else is touched."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import modal_nb as modal
from modal_nb.client import launcher
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec
from modal_nb.protocol.stream import (
    BODY_LIMIT,
    HELLO_LIMIT,
    MAGIC,
    WIRE_VERSION,
    Kind,
    packet,
    prefix,
)
from tests.e2e.home import Caller, dial, until

app = modal.App("refusals")


@app.cls(max_containers=1)
class Model:
    @modal.method()
    def wait_for(self, path):
        while not Path(path).exists():
            time.sleep(0.01)
        return os.getpid()


@pytest.fixture(scope="module")
def flight(home, tmp_path_factory):
    """A call that runs during all tests of this module, and must come back as if nothing had been."""
    gate = tmp_path_factory.mktemp("flight") / "gate"
    answers = []
    with app.run():
        call = threading.Thread(target=lambda: answers.append(Model().wait_for.remote(str(gate))))
        call.start()
        until(lambda: [c.state for c in home.containers("Model")] == ["busy"])
        before = home.ids("Model"), home.supervisor().pid
        yield
        assert (home.ids("Model"), home.supervisor().pid) == before
        gate.touch()
        call.join()
    assert len(answers) == 1


@pytest.fixture
def connection(flight, home):
    return launcher.find(home.places)


@pytest.fixture
def stranger(connection):
    with Caller(connection.socket, bytes.fromhex(connection.key)) as found:
        yield found


@pytest.fixture
def refused(home, flight):
    """Asserts that exactly one thing was refused, and how the log names it."""
    count, logged = home.status().refused, len(home.log())

    def check(said):
        until(lambda: home.status().refused > count)
        assert home.status().refused == count + 1
        assert said in home.log()[logged:]

    return check


def ended(caller):
    """The other side has closed the connection."""
    try:
        return caller.sock.recv(1) == b""
    except ConnectionResetError:
        return True


def head(size, *, version=WIRE_VERSION):
    """The prefix of a hello that claims a body of this size."""
    found = bytearray(prefix(Kind.HELLO, size, parts=6))
    found[len(MAGIC)] = version
    return bytes(found)


def hello(codec, **fields):
    return packet(Kind.HELLO, codec.pack("hello_request", ms.Hello(**{"role": "client", **fields}).content()))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b" " * 99, "not a packet: wrong first bytes"),
        (os.urandom(4096).replace(MAGIC, b"xx"), "not a packet: wrong first bytes"),
        (head(0, version=99), "wire version 99"),
        (head(HELLO_LIMIT + 1), f"a message of {HELLO_LIMIT + 1} bytes is over the limit of {HELLO_LIMIT}"),
        (head(2**63), "is over the limit"),
        (head(3) + b"abc", "the length table is cut short"),
        (head(48) + b"\xff" * 48, "the frames do not fill the body"),
    ],
)
def test_bytes_that_are_no_packet_are_refused(stranger, refused, sent, said):
    stranger.sock.sendall(sent)
    assert ended(stranger)
    refused(said)


def test_a_hello_that_is_not_signed_is_refused(stranger, refused):
    frames = stranger.codec.pack("hello_request", ms.Hello(role="client").content())
    stranger.send(packet(Kind.HELLO, [frames[0], b"", *frames[2:]]))
    assert ended(stranger)
    refused("the signature does not match")


def test_a_hello_signed_with_another_key_is_refused(stranger, refused):
    stranger.send(hello(Codec(os.urandom(32), "other")))
    assert ended(stranger)
    refused("the signature does not match")


def test_a_first_packet_that_is_no_hello_is_refused(stranger, refused):
    stranger.send(packet(Kind.REQUEST, stranger.codec.pack("status_request", {})))
    assert ended(stranger)
    refused("the first packet is not a hello")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"role": "supervisor"}, "a hello as 'supervisor'"),
        ({"role": "client", "protocol": 99}, "protocol 99, this supervisor speaks"),
    ],
)
def test_a_hello_that_makes_no_sense_is_refused(stranger, refused, fields, said):
    stranger.send(hello(stranger.codec, **fields))
    assert ended(stranger)
    refused(said)


def test_a_hello_in_the_name_of_a_container_that_does_not_live_is_refused(stranger, refused):
    frames = stranger.codec.pack("hello_request", ms.Hello(role="call", container=4711).content())
    stranger.send(packet(Kind.HELLO, frames, number=4711))
    assert ended(stranger)
    refused("hello of container 4711, which does not live here")


def test_a_hello_in_the_name_of_a_container_with_the_clients_key_is_refused(stranger, refused, home):
    number = int(next(iter(home.ids("Model"))).split("-")[1])
    frames = stranger.codec.pack("hello_request", ms.Hello(role="call", container=number).content())
    stranger.send(packet(Kind.HELLO, frames, number=number))
    assert ended(stranger)
    refused("the signature does not match")


@pytest.mark.parametrize("token", ["", "0" * 32])
def test_a_lease_with_a_wrong_token_is_refused(stranger, refused, home, token):
    number = int(next(iter(home.ids("Model"))).split("-")[1])
    line = {"type": "hello", "container": number, "token": token, "pid": 1, "namespace": True}
    stranger.sock.sendall(json.dumps(line).encode() + b"\n")
    assert ended(stranger)
    refused("lease")


def test_a_lease_that_is_no_json_is_refused(stranger, refused):
    stranger.sock.sendall(b"{" * 100 + b"\n")
    assert ended(stranger)
    refused("message refused")


@pytest.mark.parametrize("kind", [Kind.LOAD, Kind.INPUT, Kind.REPLY, Kind.READY, Kind.HELLO])
def test_a_client_may_not_send_what_only_others_send(connection, refused, kind):
    with dial(connection) as caller:
        caller.send(packet(kind, caller.codec.pack("call_reply", {})))
        assert ended(caller)
    refused(f"a client may not send packets of kind {int(kind)}")


def test_a_request_that_is_not_signed_ends_only_that_client(connection, refused):
    with dial(connection) as caller:
        frames = Codec(os.urandom(32), "other").pack("supervisor_stop_request", {})
        caller.send(packet(Kind.REQUEST, frames, number=1))
        assert ended(caller)
    refused("the signature does not match")


def test_a_message_over_the_limit_of_bodies_is_refused_before_anything_is_allocated(connection, refused):
    with dial(connection) as caller:
        caller.send([prefix(Kind.CALL, BODY_LIMIT + 1)])
        assert ended(caller)
    refused(f"a message of {BODY_LIMIT + 1} bytes is over the limit of {BODY_LIMIT}")


def test_a_request_that_does_not_exist_is_answered_and_not_refused(connection, home):
    before = home.status().refused
    with dial(connection) as caller:
        caller.send(packet(Kind.REQUEST, caller.codec.pack("no_such_request", {}), number=1))
        answer = caller.codec.open(caller.read().frames())
        assert answer.content == {"error": "InvalidError", "message": "there is no request 'no_such_request'"}
        caller.ask(ms.StatusAsk())
    assert home.status().refused == before


def test_an_app_of_another_client_cannot_be_stopped(connection, home):
    number = int(home.status().apps[0].id.split("-")[1])
    with dial(connection) as caller:
        answer = caller.ask(ms.AppStop(app=number))
        assert answer["error"] == "NotFoundError"
        assert "is not yours" in answer["message"]


def test_a_call_that_is_signed_with_another_key_is_refused_by_the_container(connection, home, flight):
    own = modal.App("signed")

    @own.cls(max_containers=1)
    class Signed:
        @modal.method()
        def answer(self):
            return 42

    with own.run():
        assert Signed().answer.remote() == 42
        (pool,) = home.pools("Signed")
        with dial(connection) as caller:
            frames = caller.codec.pack("call_request", {"method": "answer", "call": "fc-forged"})
            caller.send(packet(Kind.CALL, frames, number=1, extra=pool.pool))
            caller.read()
        log = Path(pool.containers[0].log)
        until(lambda: "message refused: the signature does not match" in log.read_text())
        assert Signed().answer.remote() == 42


AS_NOBODY = """
import os, socket, sys
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(30)
try:
    sock.connect(sys.argv[1])
    print("closed" if sock.recv(1) == b"" else "answered")
except OSError as error:
    print(error.errno)
"""


def as_nobody(path):
    command = [sys.executable, "-c", AS_NOBODY, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_cannot_connect(connection, home):
    assert as_nobody(connection.socket) == str(errno.EACCES)
    for path in (home.places.home, home.places.run, home.places.logs):
        assert path.stat().st_mode & 0o777 == 0o700
    for path in (home.places.socket, home.places.connection_file, home.places.supervisor_log):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_folders_were_opened(connection, home, refused):
    opened = (home.places.home, home.places.run, home.places.socket)
    modes = [path.stat().st_mode for path in opened]
    try:
        for path in opened:
            path.chmod(0o777)
        assert as_nobody(connection.socket) == "closed"
    finally:
        for path, mode in zip(opened, modes, strict=True):
            path.chmod(mode)
    refused("connection refused: another user")
