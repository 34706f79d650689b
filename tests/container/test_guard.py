from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modal_nb.container.guard import LEASE_LOST
from modal_nb.protocol.exit_cause import exit_cause
from modal_nb.protocol.lease import LeasePing, lease_ping
from modal_nb.spec.lifecycle import CauseKind
from tests.container.processes import Supervised, living, start_holder, until, with_signal

Make = Callable[..., Supervised]


@pytest.mark.parametrize("victim", ["kernel", "guard", "launcher"])
def test_kill_9_of_any_of_them_leaves_nothing(supervised: Make, victim: str, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.start()
    container.await_said("there")
    assert "sleep" in {process.name() for process in living(container.mark)}, "the daemon that called setsid"
    with_signal(getattr(container, victim), signal.SIGKILL)
    container.await_nothing_lives()


def test_kill_9_of_the_lease_holder_leaves_nothing(supervised: Make, short_folder: Path, namespace: bool):
    container = supervised("forever", namespace=namespace)
    holder = start_holder(container, short_folder / "h")
    container.await_said("there")
    assert "sleep" in {process.name() for process in living(container.mark)}
    holder.kill()
    holder.wait()
    container.await_nothing_lives()


def test_a_closed_lease_ends_a_container_that_is_stopped(supervised: Make, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.start()
    container.await_said("there")
    with_signal(container.kernel, signal.SIGSTOP)
    assert container.lease is not None
    container.lease.close()
    container.await_nothing_lives()
    assert container.process is not None
    assert container.process.wait() == LEASE_LOST


@pytest.mark.parametrize(
    ("asked", "kind", "code", "number"),
    [
        ("exit0", CauseKind.EXITED, 0, None),
        ("exit3", CauseKind.EXITED, 3, None),
        ("signal9", CauseKind.SIGNALLED, None, 9),
        ("signal11", CauseKind.SIGNALLED, None, 11),
    ],
)
def test_the_cause_is_named(
    supervised: Make, asked: str, kind: CauseKind, code: int | None, number: int | None, namespace: bool
):
    container = supervised(asked, namespace=namespace)
    container.start()
    cause = exit_cause(container.read_exit())
    assert (cause.kind, cause.code, cause.signal) == (kind, code, number)
    assert container.read() is None
    assert container.process is not None
    assert container.process.wait() == (code if number is None else 128 + number)
    assert living(container.mark) == [], "when the launcher has ended, nothing is left"


def test_a_killed_guard_says_nothing(supervised: Make, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.start()
    container.await_said("there")
    with_signal(container.guard, signal.SIGKILL)
    assert exit_cause(container.read_exit()).kind == CauseKind.UNKNOWN


@pytest.mark.parametrize(("asked", "number", "code"), [("graceful", 15, 5), ("interrupted", 2, 6)])
def test_signals_to_the_launcher_reach_the_kernel(
    supervised: Make, asked: str, number: int, code: int, namespace: bool
):
    container = supervised(asked, namespace=namespace)
    container.start()
    container.await_said("there")
    with_signal(container.launcher, signal.Signals(number))
    said = container.read_exit()
    assert said is not None
    assert said.code == code


def test_the_guard_answers_for_a_silent_kernel(supervised: Make, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.start()
    container.await_said("there")
    with_signal(container.kernel, signal.SIGSTOP)
    assert container.lease is not None
    container.lease.sendall(b"nonsense\n" + lease_ping(41) + lease_ping(42))
    assert [container.read(), container.read()] == [LeasePing(41, answer=True), LeasePing(42, answer=True)]


def test_the_hello_opens_the_lease(supervised: Make, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.start()
    assert container.hello.container == 7
    assert container.hello.token == container.token
    assert container.hello.namespaced is namespace
    assert (container.hello.pid == 1) is namespace


def test_without_a_supervisor_nothing_starts(supervised: Make, namespace: bool):
    container = supervised("forever", namespace=namespace)
    container.server.close()
    ended = subprocess.run(container.command, env=container.environ, capture_output=True, check=False)
    assert ended.returncode == LEASE_LOST
    assert b"container 7: no lease, the supervisor is gone" in ended.stderr
    assert living(container.mark) == []


def test_secrets_are_in_no_command_line_and_the_launch_file_is_gone(supervised: Make):
    container = supervised("forever")
    container.start()
    container.await_said("there")
    assert not container.launch_file.exists()
    for process in living(container.mark):
        assert container.token not in " ".join(process.cmdline())
        assert container.token not in " ".join(process.environ().values())


def test_the_kernel_inherits_no_descriptor(supervised: Make):
    container = supervised("forever")
    container.start()
    pid, *descriptors = container.await_said("there").split()[1:]
    assert set(descriptors) == {"0", "1", "2", "3"}, "3 is the listing itself"
    assert int(pid) > 1


def test_the_kernel_leads_a_session_and_dies_first_when_memory_runs_out(supervised: Make):
    container = supervised("forever")
    container.start()
    container.await_said("there")
    kernel = container.kernel.pid
    assert os.getsid(kernel) == kernel
    assert int(Path(f"/proc/{kernel}/oom_score_adj").read_text()) > 0
    assert int(Path(f"/proc/{container.guard.pid}/oom_score_adj").read_text()) <= 0


def test_signals_that_the_starter_blocked_or_ignored_reach_the_kernel(supervised: Make):
    container = supervised("interrupted")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        container.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    container.await_said("there")
    with_signal(container.launcher, signal.SIGINT)
    said = container.read_exit()
    assert said is not None
    assert said.code == 6


def test_a_namespaced_kernel_sees_its_own_processes_in_proc(supervised: Make, namespace: bool):
    if not namespace:
        pytest.skip("the sweeping way shares /proc")
    container = supervised("forever")
    container.start()
    container.await_said("there")
    inside = Path(f"/proc/{container.kernel.pid}/root/proc")
    own = {entry.name for entry in inside.iterdir() if entry.name.isdigit()}
    assert "1" in own
    assert len(own) < 10


def test_the_launcher_and_the_guard_load_next_to_nothing():
    heavy = (
        "asyncio",
        "msgspec",
        "zmq",
        "ipykernel",
        "IPython",
        "traitlets",
        "dataclasses",
        "inspect",
        "threading",
    )
    code = (
        f"import modal_nb.container.launcher, sys; print([name for name in {heavy} if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")


@pytest.mark.skipif(
    not os.access(MEMORY_GROUPS / "cgroup.procs", os.W_OK), reason="needs a writable memory group"
)
def test_a_kill_for_memory_is_named(supervised: Make, namespace: bool):
    container = supervised("memory", namespace=namespace)
    group = MEMORY_GROUPS / f"modal_nb_test_{container.mark}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 * 2**20))
        container.start(preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())))
        assert exit_cause(container.read_exit()).kind == CauseKind.OUT_OF_MEMORY
        container.await_nothing_lives()
    finally:
        container.close()
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
