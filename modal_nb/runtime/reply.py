"""The outcome of one message of inputs, as the container sends it and the caller reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from modal_nb.runtime import failures
from modal_nb.runtime.payload import Chunk, Frame, is_chunk, join_chunk, loads, weight
from modal_nb.runtime.tickets import Ticket

OK = "ok"
ERROR = "error"
#: user code raised what its retry policy does not try again
FINAL = "final"
CANCELLED = "cancelled"
#: KeyboardInterrupt reached the method: whoever sent the signal knows whether the container ends; content and
#: frames hold the failure, for the case that it is to be told to the caller
INTERRUPTED = "interrupted"
#: recalled before anything was begun; there is nothing to send
RETURNED = "returned"


@dataclass(slots=True)
class Reply:
    """What became of a message."""

    outcome: str
    #: can be JSON
    content: dict[str, Any]
    frames: list[Frame]
    #: run time
    seconds: float = 0.0
    #: how many inputs of the range were begun, those answered before among them; the rest were recalled, or not reached
    #: when a cancel came
    begun: int = 1
    #: the input behind these has failed and may be tried again
    failed: bool = False


@dataclass(slots=True)
class ChunkReply:
    """Collects the outcomes of a range of a chunk, in order.

    The thread that runs it adds to it and finishes it; any other one may have what is there sent off before. Appending
    to ``entries`` needs no lock, so that the quick way of a chunk has none.
    """

    #: None: all of it is begun and ended at once, as a batch is
    ticket: Ticket | None = None
    entries: list[Any] = field(default_factory=list)
    failed: dict[str, Any] = field(default_factory=dict)
    failure_frames: list[Frame] = field(default_factory=list)
    #: bytes, roughly
    weight: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    def add(self, packed: Any) -> None:
        """A result that ``payload.pack`` made."""
        self.entries.append(packed)
        self.weight += weight(packed)

    def add_failure(self, content: dict[str, Any], frames: Sequence[Frame]) -> None:
        """What ``failures.dump_failure`` made of an exception."""
        with self._lock:
            start = len(self.failure_frames)
            self.failure_frames.extend(frames)
            self.weight += sum(memoryview(frame).nbytes for frame in frames)
            self.failed[str(len(self.entries))] = {
                "failure": content,
                "at": [start, len(self.failure_frames)],
            }
            self.entries.append(None)

    def send_part(self, send: Callable[[Reply], None]) -> None:
        """Have ``send`` answer what is through, if another input runs on. Else all is about to be answered anyway.

        The reply of the rest does not overtake it: ``finish`` waits until it was sent.
        """
        ticket = self.ticket
        with self._lock:
            entries = self.entries.copy()
            if ticket is None or self._over or not 0 < len(entries) < ticket.unanswered:
                return
            part = self._reply(OK, entries, begun=ticket.answered + len(entries))
            del self.entries[: len(entries)]
            self.failed, self.failure_frames, self.weight = {}, [], 0
            ticket.answered = part.begun
            send(part)

    def finish(self, outcome: str = OK, *, failed: bool = False) -> Reply:
        """The reply of all that was collected; an input that a cancel ended is begun and has no entry."""
        with self._lock:
            self._over = True
            begun = len(self.entries) if self.ticket is None else self.ticket.begun
            return self._reply(outcome, self.entries, begun=begun, failed=failed)

    def _reply(self, outcome: str, entries: list[Any], *, begun: int, failed: bool = False) -> Reply:
        if outcome == OK and self.failed:
            outcome = ERROR
        frames = join_chunk(entries)
        content: dict[str, Any] = {"count": len(entries)}
        if self.failed:
            content |= {"failures": self.failed, "failures_at": len(frames)}
        return Reply(outcome, content, [*frames, *self.failure_frames], begun=begun, failed=failed)


def read_reply(
    outcome: str, content: dict[str, Any], frames: Sequence[Frame], count: int = 1
) -> list[tuple[bool, Any]]:
    """One (True, value) or (False, exception) for each input that has an outcome, in order of the message.

    The client calls it; ``count`` is how many inputs the message held. A cancelled chunk gives the inputs
    that were through before. A failure of the whole message is one exception object for each input. Never
    raises for bad values.
    """
    if frames and is_chunk(frames):
        return _read_chunk(content, frames)
    if outcome == OK:
        return [_load(frames)]
    if outcome == CANCELLED:
        return []
    return [(False, failures.load_failure(content, frames)) for _ in range(count)]


def read_values(outcome: str, content: dict[str, Any], frames: Sequence[Frame]) -> list[Any] | None:
    """The values of a chunk where all inputs succeeded and all values are plain; None where it is not so."""
    if outcome != OK or not frames or not is_chunk(frames) or content.get("failures"):
        return None
    chunk = Chunk(frames)
    return chunk.scalars if chunk.is_flat else None


def _read_chunk(content: dict[str, Any], frames: Sequence[Frame]) -> list[tuple[bool, Any]]:
    failed = content.get("failures")
    at = content["failures_at"] if failed else len(frames)
    chunk = Chunk(frames[:at])
    answers = [_load_entry(chunk, index) for index in range(len(chunk))]
    for index, place in (failed or {}).items():
        start, stop = place["at"]
        error = failures.load_failure(place["failure"], frames[at + start : at + stop])
        answers[int(index)] = (False, error)
    return answers


def _load(frames: Sequence[Frame]) -> tuple[bool, Any]:
    try:
        return True, loads(frames)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this input's outcome
        return False, error


def _load_entry(chunk: Chunk, index: int) -> tuple[bool, Any]:
    try:
        return True, chunk[index]
    except Exception as error:  # noqa: BLE001 - as above: neighbours are not spoiled
        return False, error
