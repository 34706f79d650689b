"""The outcome of one message of inputs, as the container sends it and the caller reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modal_nb.runtime import failures
from modal_nb.runtime.payload import Chunk, Frame, is_chunk, join_chunk, loads, weight

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
    #: how many inputs of the range were begun; the rest were recalled, or not reached when a cancel came
    begun: int = 1
    #: the input behind these has failed and may be tried again
    failed: bool = False


@dataclass(slots=True)
class ChunkReply:
    """Collects the outcomes of a range of a chunk, in order."""

    entries: list[Any] = field(default_factory=list)
    failed: dict[str, Any] = field(default_factory=dict)
    failure_frames: list[Frame] = field(default_factory=list)
    #: bytes, roughly
    weight: int = 0

    def add(self, packed: Any) -> None:
        """A result that ``payload.pack`` made."""
        self.entries.append(packed)
        self.weight += weight(packed)

    def add_failure(self, content: dict[str, Any], frames: Sequence[Frame]) -> None:
        """What ``failures.dump_failure`` made of an exception."""
        start = len(self.failure_frames)
        self.failure_frames.extend(frames)
        self.weight += sum(memoryview(frame).nbytes for frame in frames)
        self.failed[str(len(self.entries))] = {"failure": content, "at": [start, len(self.failure_frames)]}
        self.entries.append(None)

    def finish(self, outcome: str = OK, *, begun: int, failed: bool = False) -> Reply:
        """The reply of all that was collected; an input that a cancel ended is begun and has no entry."""
        if outcome == OK and self.failed:
            outcome = ERROR
        frames = join_chunk(self.entries)
        content: dict[str, Any] = {"count": len(self.entries)}
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
