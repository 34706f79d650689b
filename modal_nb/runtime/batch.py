"""A batch: single calls handed to the user's method as lists, and the list that it returns taken apart again.

The rules are Modal's. Every caller gives every parameter, by position or by name; the method gets one list for each
parameter and returns one list as long as they are. What breaks a rule is the outcome of every input of the batch.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any

from modal_nb.exception import InvalidError
from modal_nb.runtime import reply
from modal_nb.runtime.attempt import Told, open_message, packed, refuse, single
from modal_nb.runtime.payload import Frame, Inputs
from modal_nb.runtime.reply import ChunkReply, Reply
from modal_nb.runtime.service import BoundMethod, Service
from modal_nb.runtime.tickets import BatchTicket, Ticket
from modal_nb.spec import checks

#: (outcome, value or exception) of one input
Outcome = tuple[str, Any]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_PLAIN = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)


class Member:
    """One message of a batch: its inputs, begun, and its reply if it has one before the method runs."""

    def __init__(self, service: Service, ticket: Ticket, method: str, frames: Sequence[Frame]) -> None:
        self.ticket = ticket
        self.refusal: Reply | None = None
        self.indices: list[int] = []
        try:
            self.inputs, self.bound = open_message(service, ticket, method, frames)
        except Exception as error:  # noqa: BLE001 - unreadable: its own outcome, not that of the others
            self.refusal = refuse(ticket, error)
            return
        while (index := ticket.begin_next()) is not None:
            self.indices.append(index)


class Batch:
    """Made when its turn has come; ``run`` or ``arun`` once, then ``replies``."""

    def __init__(
        self, service: Service, method: str, messages: Sequence[tuple[Ticket, Sequence[Frame]]], told: Told
    ) -> None:
        self._told = told
        self._began = time.perf_counter()
        #: what its code is ended by
        self.ticket = BatchTicket([ticket for ticket, _ in messages])
        self._members = [Member(service, ticket, method, frames) for ticket, frames in messages]
        #: those that run, one after the other
        self._places = [
            (member.inputs, index)
            for member in self._members
            if not member.refusal
            for index in member.indices
        ]
        self._bound = next((member.bound for member in self._members if not member.refusal), None)

    @property
    def size(self) -> int:
        """How many inputs run."""
        return len(self._places)

    @property
    def first(self) -> Ticket:
        """In whose name the code runs: the first message of which something does."""
        return next((member for member in self._members if member.indices), self._members[0]).ticket

    @property
    def calls(self) -> tuple[str, ...]:
        """The function calls that something runs for."""
        found = [member.ticket.call_id for member in self._members if member.indices]
        return tuple(dict.fromkeys(call for call in found if call is not None))

    @property
    def numbers(self) -> tuple[int, ...]:
        """The supervisor's numbers of the messages of which something runs."""
        return tuple(member.ticket.number for member in self._members if member.indices)

    def name(self) -> str:
        """The id of the input in whose name the code runs."""
        first = next(member for member in self._members if member.indices)
        return first.ticket.name_of(first.indices[0], many=first.inputs.many)

    def run(self) -> list[Outcome]:
        """All that may run code of the user: unpack, call, pack."""
        call, good = self._call()
        return self._taken_apart(call(), good)

    async def arun(self) -> list[Outcome]:
        """The same for an async method."""
        call, good = self._call()
        return self._taken_apart(await call(), good)

    def _call(self) -> tuple[Callable[[], Any], list[Outcome | None]]:
        """The method with its lists, and for each input the outcome that it has already."""
        assert self._bound is not None
        arguments: list[Arguments] = []
        known: list[Outcome | None] = []
        for inputs, index in self._places:
            try:
                arguments.append(_unpacked(inputs, index))
                known.append(None)
            except Exception as error:  # noqa: BLE001 - an argument that cannot be rebuilt is its own input's outcome
                known.append((reply.ERROR, error))
        if not arguments:
            return _nothing(self._bound), known
        args, kwargs = lists(self._bound, arguments)
        return functools.partial(self._bound.call, *args, **kwargs), known

    def _taken_apart(self, result: Any, known: list[Outcome | None]) -> list[Outcome]:
        assert self._bound is not None
        values = iter(checked(self._bound, result, known.count(None)))
        return [_packed(self._bound, next(values)) if outcome is None else outcome for outcome in known]

    def replies(self, outcome: str, value: Any) -> list[Reply]:
        """One for each message, in order; ``value``: what ``run`` gave, or the exception that is everybody's."""
        outcomes = iter(value if outcome == reply.OK else [(outcome, value)] * self.size)
        each = (time.perf_counter() - self._began) / max(1, self.size)
        replies = [self._reply(member, [next(outcomes) for _ in member.indices]) for member in self._members]
        for member, answer in zip(self._members, replies, strict=True):
            answer.seconds = each * len(member.indices)
        return replies

    def _reply(self, member: Member, outcomes: list[Outcome]) -> Reply:
        if member.refusal is not None:
            return member.refusal
        if not outcomes:
            return Reply(reply.CANCELLED, {}, [], begun=0)
        call = member.ticket.call_id
        names = [member.ticket.name_of(index, many=member.inputs.many) for index in member.indices]
        if not member.inputs.many:
            return single(*outcomes[0], told=self._told, call=call, name=names[0])
        if outcomes[0][0] == reply.CANCELLED:
            return Reply(reply.CANCELLED, {}, [], begun=len(outcomes))
        chunk = ChunkReply()
        for name, (outcome, value) in zip(names, outcomes, strict=True):
            if outcome == reply.OK:
                chunk.add(value)
            else:
                chunk.add_failure(*self._told.dump(value, call=call, name=name))
        return chunk.finish()


def lists(bound: BoundMethod, arguments: Sequence[Arguments]) -> tuple[list[list[Any]], dict[str, list[Any]]]:
    """One list for each parameter, in the order of the callers. InvalidError where a caller does not fit."""
    signature = inspect.signature(bound.call)
    parameters = _parameters(bound, signature)
    columns: dict[str, list[Any]] = {parameter.name: [] for parameter in parameters}
    for args, kwargs in arguments:
        given = _given(bound, signature, args, kwargs)
        for name, column in columns.items():
            column.append(given[name])
    by_name = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    return (
        [column for name, column in columns.items() if name not in by_name],
        {name: column for name, column in columns.items() if name in by_name},
    )


def _parameters(bound: BoundMethod, signature: inspect.Signature) -> list[inspect.Parameter]:
    parameters = list(signature.parameters.values())
    for parameter in parameters:
        if parameter.kind not in _PLAIN:
            raise InvalidError(
                f"{bound.label} is batched, so it cannot take {parameter}: give each parameter a name of its own"
            )
    return parameters


def _given(
    bound: BoundMethod, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        problem = str(error)
    else:
        missing = [name for name in signature.parameters if name not in given]
        if not missing:
            return given
        problem = f"missing {', '.join(map(repr, missing))}"
    names = ", ".join(signature.parameters) or "none"
    raise InvalidError(
        f"{bound.label} is batched: every caller gives every parameter ({names}), and defaults are not used. One call "
        f"of this batch does not: {problem}"
    )


def checked(bound: BoundMethod, result: Any, size: int) -> list[Any]:
    """The results of a batch of ``size`` inputs; InvalidError if they are not one list of that length."""
    if not isinstance(result, list):
        if inspect.iscoroutine(result):
            result.close()
        raise InvalidError(
            f"{bound.label} is batched, so it must return a list with one result for each input, not "
            f"{checks.an(type(result).__name__)}"
        )
    if len(result) != size:
        raise InvalidError(
            f"{bound.label} is batched, so it must return as many results as it got inputs: it got {size} and returned "
            f"{len(result)}"
        )
    return result


def _unpacked(inputs: Inputs, index: int) -> Arguments:
    args, kwargs = inputs[index]
    return tuple(args), dict(kwargs)


def _packed(bound: BoundMethod, value: Any) -> Outcome:
    try:
        return reply.OK, packed(bound, value)
    except Exception as error:  # noqa: BLE001 - a result that cannot travel is its own input's outcome
        return reply.ERROR, error


def _nothing(bound: BoundMethod) -> Callable[[], Any]:
    """In place of a call without inputs."""
    if bound.shape.is_async:

        async def nothing() -> list[Any]:
            return []

        return nothing
    return list
