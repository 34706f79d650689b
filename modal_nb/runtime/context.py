"""Where the current code runs: which container, which input, which function call."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from modal_nb.exception import InvalidError

_input_id: ContextVar[Name] = ContextVar("modal_nb_input_id", default=None)
#: the supervisor's number of the input; 0: none
_input_number: ContextVar[int] = ContextVar("modal_nb_input_number", default=0)
#: the numbers of all that is served now, on whatever thread
_served: list[int] = []
_function_call_id: ContextVar[str | None] = ContextVar("modal_nb_function_call_id", default=None)
#: all function calls of the batch that runs; empty outside of one
_together: ContextVar[tuple[str, ...]] = ContextVar("modal_nb_together", default=())
#: number -> its function call, or those of the batch, of what is served now
_calls: dict[int, tuple[str, ...] | str | None] = {}
#: number -> the numbers of all that run with it, in batches
_batches: dict[int, tuple[int, ...]] = {}


#: of an input, or what gives it when it is asked for: most code never asks
Name = str | tuple[Callable[[int], str], int] | None
#: for who has looked at ``Process.follows`` since the input before
name_input = _input_id.set


@dataclass(frozen=True, slots=True)
class ContainerLink:
    """How code in a container reaches the supervisor: as itself, with the key of its own app."""

    #: path of the supervisor's Unix socket
    socket: str
    key: bytes
    container: int
    token: str
    #: names interpreter, folder and import path of the caller, as its pool keys do
    where: str


class PassOn(Protocol):
    """Shows people what a nested call shows."""

    #: a protocol.output.Out
    out: int

    def show(
        self, msg_type: str, data: dict[str, Any], metadata: dict[str, Any], buffers: Sequence[Any]
    ) -> None:
        """One Jupyter message; any thread."""


class Process:
    """What is true of this whole process; one instance, ``process``."""

    def __init__(self) -> None:
        self._container_id: str | None = None
        self._pid = 0
        #: set by the container's main; None elsewhere
        self.link: ContainerLink | None = None
        #: bytes that the result of one input may take; None: nothing travels, so nothing is too large
        self.payload_bound: int | None = None
        #: set by the container's main: may add notes to what user code raised
        self.on_failure: Callable[[BaseException], None] | None = None
        #: set by ``client`` when it is loaded: (service, method name, face) -> what ``self.name.face`` gives
        #: inside a serving instance, for every face but ``local``
        self.face_from_inside: Callable[[Any, str, str], Any] | None = None
        #: inputs that have printed and run on, by id; the container's main has it filled
        self.printed: Mapping[str, object] = {}
        #: of one that has printed: its last lines, a few
        self.printed_lately: Callable[[str], Sequence[str]] = lambda _: ()
        #: told the id of each input that ends while there are such
        self.on_printed_end: Callable[[str | None], None] = lambda _: None
        #: set by the container's main: what shows things to who called the current input; None where nobody looks
        self.pass_on: Callable[[], PassOn | None] = lambda: None
        #: told the numbers of what is cancelled where it runs, on the thread that cancels it
        self.at_cancel: Callable[[Sequence[int]], None] = lambda _: None
        #: called at the end of each input, where it ran and as its code; never raise
        self.at_end: list[Callable[[], None]] = []

    @property
    def follows(self) -> bool:
        """Whether something is to be done at the end of an input."""
        return bool(self.at_end or self.printed)

    def enter_container(self, container_id: str) -> None:
        """The container's main calls this once, before the user's class is loaded."""
        self._container_id = container_id
        self._pid = os.getpid()

    @property
    def container_id(self) -> str | None:
        """The id of the container of this process; None in a notebook or a subprocess of a container."""
        if self._container_id is None or os.getpid() != self._pid:
            return None
        return self._container_id


process = Process()


def load_faces() -> None:
    """Have ``client`` set ``process.face_from_inside``. By name and late: the container's side is built without it,
    and loads it only when code of the user calls something from inside.
    """
    if process.link is not None and process.face_from_inside is None:
        importlib.import_module("modal_nb.client.inside")


def is_local() -> bool:
    """False only in the process of a container itself; True in notebooks and in its subprocesses."""
    return process.container_id is None


def interact() -> None:
    """Called in a container before code that asks people; as Modal's. Here questions work without it.

    InvalidError outside of a container, and where nobody looks who could answer.
    """
    if is_local():
        raise InvalidError(
            "interact() is for code in containers: here input() and breakpoint() work as they are"
        )
    if process.pass_on() is None:
        raise InvalidError(
            "nobody can answer here: call the method from a notebook, or inside `with modal.enable_output():`"
        )


def current_input_id() -> str | None:
    """The id of the input that this code serves; None outside of one."""
    name = _input_id.get()
    return name[0](name[1]) if type(name) is tuple else name  # type: ignore[return-value]


def current_function_call_id() -> str | None:
    """The id of the function call that the current input belongs to; None outside of one."""
    return _function_call_id.get()


def current_input_number() -> int:
    """What a nested call names as its parent; 0 outside of an input.

    A thread that the user's code started does not say which input it belongs to: where one runs, it is that one.
    """
    served = _served[:2]  # others begin and end meanwhile
    return _input_number.get() or (served[0] if len(served) == 1 else 0)


def served_now() -> list[int]:
    """The supervisor's numbers of all inputs that run in this process."""
    return list(_served)


def current_calls() -> tuple[str, ...]:
    """The function calls that the current code runs for: all of a batch, else one; none outside of an input."""
    call = _function_call_id.get()
    return _together.get() or (() if call is None else (call,))


def only_calls() -> tuple[str, ...]:
    """Those of the only input that runs in this process; none if it is not one."""
    calls = list(_calls.values())  # in one step: others begin and end meanwhile
    if len(calls) != 1 or calls[0] is None:
        return ()
    return (calls[0],) if isinstance(calls[0], str) else calls[0]


def runs_with(number: int) -> tuple[int, ...]:
    """The numbers of all inputs of its batch; outside of one, itself."""
    return _batches.get(number, (number,))


@contextmanager
def together(function_call_ids: tuple[str, ...], numbers: tuple[int, ...]) -> Iterator[None]:
    """The runner wraps the serving of a batch in this: what it prints is everybody's."""
    before = _together.set(function_call_ids)
    _batches.update(dict.fromkeys(numbers, numbers))
    try:
        yield
    finally:
        for number in numbers:
            _batches.pop(number, None)
        _together.reset(before)


class serving:  # noqa: N801 - read as what it does, as other context managers are
    """The runner wraps the serving of one message in this. A class, because it is on the way of every call."""

    __slots__ = ("_call", "_names", "_number")

    def __init__(self, input_id: str | None, function_call_id: str | None, number: int = 0) -> None:
        self._names = input_id, function_call_id
        self._number = number

    def __enter__(self) -> None:
        input_id, call = self._names
        number = self._number
        self._call = _input_number.set(number), _function_call_id.set(call), _input_id.set(input_id)
        if number:
            _served.append(number)
            _calls[number] = _together.get() or call

    def __exit__(self, *_: object) -> None:
        if process.follows:
            _ended()
        number = self._number
        if number:
            _served.remove(number)
            _calls.pop(number, None)
        before, call, name = self._call
        _input_id.reset(name)
        _function_call_id.reset(call)
        _input_number.reset(before)


def serve_next(input_id: Name) -> None:
    """The runner calls this inside ``serving`` for each further input of a chunk."""
    if process.follows:
        _ended()
    _input_id.set(input_id)


def _ended() -> None:
    """What the current input leaves is its own."""
    for act in process.at_end:
        act()
    if process.printed:
        process.on_printed_end(current_input_id())


def go_on() -> None:
    """Code of an input that may have ended goes on, in a copy of its context: nested calls are nobody's then."""
    _input_number.set(0)
