"""Reads what one call printed, out of the files of all containers of this home: all that is there, then what comes."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import msgspec

from modal_nb.protocol.call_log import ENDED, GENERATION, CallFiles, Record, gone_file

#: ``stream`` of a record made here: what stood before is no longer kept
CUT = -2

_decoder = msgspec.json.Decoder(Record)


def cut(call_id: str) -> Record:
    """Says that something is missing where it stands."""
    return Record(0, (call_id,), "", CUT, "")


class Printed(NamedTuple):
    """A record and the container that it comes from."""

    container: str
    record: Record


class CallRecords:
    """Of one call. ``read`` gives what came since it was asked last."""

    def __init__(self, logs: Path, call_id: str) -> None:
        self._logs = logs
        self._call_id = call_id
        #: size of each index at the last look: it is read again only when it has changed
        self._seen: dict[Path, int] = {}
        self._containers: dict[str, _ContainerRecords] = {}
        #: inputs that printed and have not ended: container and input
        self.open: set[tuple[str, str]] = set()

    @property
    def known(self) -> bool:
        """Some container has noted that the call printed."""
        return bool(self._containers)

    def read(self) -> list[Printed]:
        """By time; what came from one container in its order."""
        self._look_for_containers()
        timed: list[tuple[int, Printed]] = []
        for name, records in self._containers.items():
            latest = 0
            for record in records.read():
                latest = max(latest, record.time)  # somebody may have set the clock
                timed.append((latest, Printed(name, record)))
                if record.stream == ENDED:
                    self.open.discard((name, record.input))
                elif record.input:
                    self.open.add((name, record.input))
        timed.sort(key=lambda one: one[0])
        return [printed for _, printed in timed]

    def were_removed(self) -> bool:
        """Whether the files of a container were removed in which it printed."""
        try:
            return f"\n{self._call_id}\n".encode() in b"\n" + gone_file(self._logs).read_bytes()
        except OSError:
            return False

    def close(self) -> None:
        for records in self._containers.values():
            records.close()

    def _look_for_containers(self) -> None:
        suffix = ".calls.index"
        for index in self._logs.glob(f"ct-*{suffix}"):
            name = index.name.removesuffix(suffix)
            if name in self._containers:
                continue
            with suppress(OSError):  # removed meanwhile
                size = index.stat().st_size
                if self._seen.get(index) == size:
                    continue
                self._seen[index] = size
                begun = _first_generation(index.read_bytes(), self._call_id)
                if begun is not None:
                    self._containers[name] = _ContainerRecords(
                        CallFiles(self._logs, name), self._call_id, begun
                    )


def _first_generation(index: bytes, call_id: str) -> int | None:
    wanted = f"\n{call_id} ".encode()
    at = (b"\n" + index).find(wanted)
    if at < 0:
        return None
    rest = index[at + len(wanted) - 1 :].partition(b"\n")[0]
    return int(rest) if rest.isdigit() else None


class _ContainerRecords:
    """Of one call in one container. A file that is open is read to its end, also when it has become the former one."""

    def __init__(self, files: CallFiles, call_id: str, begun: int) -> None:
        self._files = files
        self._call_id = call_id
        self._mark = msgspec.json.encode(call_id)
        self._file: BufferedReader | None = None
        #: of the file that was opened last
        self._generation = begun - 1
        self._rest = b""

    def read(self) -> list[Record]:
        found: list[Record] = []
        while self._file is not None or self._open(found):
            latest = self._is_current()  # asked before it is read: no more comes once it is the former one
            self._take(found)
            if latest:
                break
            self.close()
        return found

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, found: list[Record]) -> bool:
        """The next file. The current one is looked at first: should it change places meanwhile, it is seen twice."""
        ahead: list[tuple[int, BufferedReader]] = []
        for path in (self._files.current, self._files.former):
            with suppress(OSError):
                file = path.open("rb")
                ahead.append((_generation(file), file))
        ahead.sort(key=lambda one: (one[0] <= self._generation, one[0]))
        for _, file in ahead[1:]:
            file.close()
        if not ahead or ahead[0][0] <= self._generation:
            if ahead:
                ahead[0][1].close()
            return False
        generation, opened = ahead[0]
        self._file = opened
        if generation > self._generation + 1:
            found.append(cut(self._call_id))
        self._generation, self._rest = generation, b""
        return True

    def _is_current(self) -> bool:
        assert self._file is not None
        try:
            return self._files.current.stat().st_ino == os.fstat(self._file.fileno()).st_ino
        except OSError:
            return True  # removed, or about to be there: nothing else can be read now

    def _take(self, found: list[Record]) -> None:
        assert self._file is not None
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            if self._mark in line:
                with suppress(msgspec.DecodeError):
                    record = _decoder.decode(line)
                    if self._call_id in record.calls:
                        found.append(record)


def _generation(file: BufferedReader) -> int:
    """The number that its first record says; -1 while there is none."""
    with suppress(msgspec.DecodeError, ValueError):
        first = _decoder.decode(file.readline())
        if first.stream == GENERATION:
            return int(first.text)
    return -1
