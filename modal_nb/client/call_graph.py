"""What ``FunctionCall.get_call_graph`` returns: the inputs of a call, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import msgspec

from modal_nb.client.kept import Outcome
from modal_nb.client.waiting import AnyCall
from modal_nb.exception import InputCancelledError
from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.messages import Failure
from modal_nb.protocol.stream import Packet, Result
from modal_nb.spec.cls_spec import label_of


class InputStatus(IntEnum):
    """How far an input is; the numbers are Modal's."""

    PENDING = 0
    SUCCESS = 1
    FAILURE = 2
    #: the container could not be started
    INIT_FAILURE = 3
    #: cancelled, or its app ended
    TERMINATED = 4
    TIMEOUT = 5


@dataclass(frozen=True, slots=True)
class InputInfo:
    """One input of a function call."""

    input_id: str
    function_call_id: str
    #: the container that answered; "" while there is no answer
    task_id: str
    status: InputStatus
    #: class and method
    function_name: str
    #: where the class was defined
    module_name: str
    #: inputs that this one called
    children: list[InputInfo] = field(default_factory=list)


_REPLIES = {
    "ok": InputStatus.SUCCESS,
    "error": InputStatus.FAILURE,
    "refused": InputStatus.FAILURE,
    "cancelled": InputStatus.TERMINATED,
}
_FAILURES = {
    "timeout": InputStatus.TIMEOUT,
    "startup_timeout": InputStatus.INIT_FAILURE,
    "start_failed": InputStatus.INIT_FAILURE,
    "cancelled": InputStatus.TERMINATED,
    "app_stopped": InputStatus.TERMINATED,
}


def graph(call: AnyCall) -> list[InputInfo]:
    """Every input of the call, in order. OutputExpiredError when one of them is no longer kept."""
    return [_info(call, index) for index in range(len(call.places))]


def _info(call: AnyCall, index: int) -> InputInfo:
    status, container = InputStatus.PENDING, ""
    found = call.watch(index, _nobody)
    if found is None:
        call.unwatch(index, _nobody)
    else:
        status, container = _status(call, found)
    return InputInfo(
        input_id=f"in-{call.id.removeprefix('fc-')}-{index}",
        function_call_id=call.id,
        task_id=container,
        status=status,
        function_name=label_of(call.pool.spec.service, call.method),
        module_name=call.module,
    )


def _nobody(_: Outcome) -> None:
    """Tells nobody."""


def _status(call: AnyCall, found: Outcome) -> tuple[InputStatus, str]:
    """The status, and the container that answered."""
    if not isinstance(found, Packet):
        cancelled = isinstance(found, InputCancelledError)
        return (InputStatus.TERMINATED if cancelled else InputStatus.FAILURE), ""
    try:
        content = call.pool.app.codec.open(found.frames()).content
    except MessageRefused:
        return InputStatus.FAILURE, ""
    if found.flags == Result.START_FAILED:
        return InputStatus.INIT_FAILURE, str(content.get("container", ""))
    if found.flags == Result.REPLY:
        return _REPLIES[content["status"]], str(content.get("container", ""))
    failure = msgspec.convert(content, Failure)
    return _FAILURES.get(failure.kind, InputStatus.FAILURE), failure.container
