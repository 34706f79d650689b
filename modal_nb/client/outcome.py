"""From a RESULT packet to the value or the exception of its inputs."""

from __future__ import annotations

from typing import Any

import msgspec

from modal_nb import exception
from modal_nb.client import logs, provenance
from modal_nb.client.pool import Pool
from modal_nb.client.remedies import memory
from modal_nb.client.screens import output
from modal_nb.protocol.codec import Message, MessageRefused
from modal_nb.protocol.lending import restore
from modal_nb.protocol.messages import Failure
from modal_nb.protocol.stream import Packet, Result
from modal_nb.runtime.failures import load_failure
from modal_nb.runtime.reply import read_reply, read_values
from modal_nb.spec.cls_spec import label_of
from modal_nb.spec.resources import Resources

Answer = tuple[bool, Any]


def value_of(pool: Pool, method: str, result: Packet) -> Any:
    """The value of a single input, or its exception raised."""
    __tracebackhide__ = True
    ok, value = answers_of(pool, method, result)[0]
    if ok:
        return value
    raise value


class Values(list[Any]):
    """Values of inputs that all succeeded: plain ones, each as it is."""


def many_of(pool: Pool, method: str, result: Packet) -> list[Answer] | Values:
    """``answers_of``, as ``Values`` where the packet has nothing else."""
    if output.pending:
        output.settle()
    try:
        message = restore(pool.app.codec.open(result.frames()), result)
    except MessageRefused as refused:
        return [(False, exception.ConnectionError(f"a result came damaged: {refused}"))] * result.count
    if result.flags != Result.REPLY:
        return [(False, _unanswered(pool, method, result, message))] * result.count
    if result.seconds:  # the time of a part of a chunk is told with the rest of it
        pool.ran(method, result.seconds, result.count)
    content = message.content
    values = read_values(content["status"], content, message.buffers)
    if values is not None:
        return Values(values)
    answers = read_reply(content["status"], content, message.buffers, result.count)
    if content["status"] != "ok":
        for ok, found in answers:
            if not ok:
                provenance.note(found, label_of(pool.spec.service, method))
    return answers


def answers_of(pool: Pool, method: str, result: Packet) -> list[Answer]:
    """(True, value) or (False, exception) for each input that the packet is about, in order."""
    answers = many_of(pool, method, result)
    return [(True, value) for value in answers] if type(answers) is Values else answers


def _unanswered(pool: Pool, method: str, result: Packet, message: Message) -> BaseException:
    if result.flags == Result.START_FAILED:
        error = load_failure(message.content, message.buffers)
        container = str(message.content.get("container"))
        provenance.note_start(error, pool.spec.service, container, pool.app.session.where.logs)
        return error
    failure = msgspec.convert(message.content, Failure)
    error = failed(label_of(pool.spec.service, method), failure, pool.spec.resources)
    if isinstance(error, exception.ContainerCrashedError | exception.StartFailedError):
        provenance.note_death(error, label_of(pool.spec.service, method), failure)
    return error


def is_queue_full(pool: Pool, result: Packet) -> bool:
    """Whether the supervisor would not take the message because too many wait."""
    if result.flags != Result.FAILURE:
        return False
    try:
        return bool(pool.app.codec.open(result.frames()).content.get("kind") == "queue_full")
    except MessageRefused:
        return False


def failed(method: str, failure: Failure, resources: Resources) -> BaseException:
    """The supervisor's word as an exception; the sentence names what happened and what to do."""
    times = f"{failure.times} containers" if failure.times != 1 else "one container"
    match failure.kind:
        case "timeout":
            return exception.FunctionTimeoutError(
                f"{method} ran longer than timeout={failure.seconds:g} seconds; raise `timeout` or give it less to do"
            )
        case "startup_timeout":
            return exception.StartupTimeoutError(
                f"a container for {method} took longer than startup_timeout={failure.seconds:g} seconds to import and "
                f"enter; raise `startup_timeout`{_tail(failure)}"
            )
        case "start_failed":
            return exception.StartFailedError(
                f"{times} for {method} failed to start: {failure.cause or 'no cause was reported'}{_tail(failure)}"
            )
        case "crashed":
            kind = (
                exception.OutOfMemoryError
                if failure.cause_kind == "out_of_memory"
                else exception.ContainerCrashedError
            )
            return kind(
                f"{times} died while running {method}; the last one, {failure.container}, was "
                f"{failure.cause or 'lost'}{_tail(failure)}"
            )
        case "cancelled":
            return exception.InputCancelledError(f"the input of {method} was cancelled")
        case "app_stopped":
            return exception.AppStoppedError(f"the app ended before {method} was through")
        case "queue_full":
            return exception.QueueFullError(
                f"the queue of {method} is full: send fewer inputs at a time, or use .map, which waits; or start the "
                "supervisor with a higher MODAL_NB_QUEUE_BOUND"
            )
        case "does_not_fit":
            asked = {"cpu": resources.cpu, "memory": resources.memory}
            asks = " and ".join(f"{name}={value:g}" for name, value in asked.items() if value)
            return exception.ResourceExhaustedError(
                f"{method} can never run here: a container asks for {asks}, which is more than the machine-wide limit; "
                "ask for less, or start the supervisor with a higher MODAL_NB_MAX_CPU or MODAL_NB_MAX_MEMORY"
            )
        case "deadlock":
            return exception.DeadlockError(
                f"{method} can never start: its pool is at max_containers={failure.times}, and every container there "
                "waits for a call that waits for this pool; raise `max_containers`, call with `.local()` instead of "
                "`.remote()`, or let a container serve several inputs at a time"
            )
        case _:
            return _rare(method, failure)


def _rare(method: str, failure: Failure) -> BaseException:
    if failure.kind == "data_lost":
        return exception.DataLossError(
            f"the arguments of {method} are not on disk any more, so it was not run: make the call again"
        )
    if failure.kind == "container_gone":
        return exception.NotFoundError(
            f"{failure.container or 'the container'} has ended or is about to, so {method} was not run there; "
            "`modal-nb status` lists those that live"
        )
    return exception.ExecutionError(f"{method} failed: {failure.kind} {failure.cause}")


def _tail(failure: Failure) -> str:
    """What memory it had, where that ran out, and the last lines of the container's log: a paragraph each."""
    held = memory(failure)
    if not failure.log_tail:
        return held
    lines = "\n".join(f"    {logs.plain(line)}" for line in failure.log_tail)
    return f"{held}\n  last lines of the log of {failure.container}:\n{lines}"
