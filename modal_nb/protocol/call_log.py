"""What the inputs of a container printed, by function call: files beside the container's log.

The container's process appends records, and nobody else writes. Readers on this host find the containers of a call by
their index files and merge the records. A record is one line of JSON, so one that was cut off by a kill spoils no
other.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

#: bytes of one file. A full one takes the place of the former one, and what that held is gone
LARGEST = 4 << 20
#: bytes of an index; of a full one the older half goes
LARGEST_INDEX = 1 << 20

#: ``stream`` of a record that is no text: the input has ended; the number of this file
ENDED = 0
GENERATION = -1


class Record(msgspec.Struct, array_like=True, frozen=True):
    """Something that an input printed. ``calls``: more than one for a batch."""

    #: nanoseconds since 1970, to show and to merge containers by
    time: int
    calls: tuple[str, ...]
    #: "in-..."; empty where only the call is known
    input: str
    #: 1 stdout, 2 stderr, ENDED or GENERATION
    stream: int
    text: str


class CallFiles:
    """The files of one container. None is there before something was printed."""

    def __init__(self, logs: Path, container: str) -> None:
        self.container = container
        self.current = logs / f"{container}.calls"
        self.former = logs / f"{container}.calls.1"
        #: lines "CALL GENERATION": which calls printed, and in which file they began
        self.index = logs / f"{container}.calls.index"

    def all(self) -> tuple[Path, Path, Path]:
        return self.current, self.former, self.index


def gone_file(logs: Path) -> Path:
    """Ids of calls whose lines were removed with their container's files, one a line."""
    return logs / "calls.gone"


def newer_half(data: bytes) -> bytes:
    """Whole lines of an index that is too long."""
    kept = data[len(data) // 2 :]
    return kept[kept.find(b"\n") + 1 :]
