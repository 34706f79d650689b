"""Notes what inputs print, by function call. Nothing is made or opened before the first of them prints."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from modal_nb.protocol.call_log import (
    ENDED,
    GENERATION,
    LARGEST,
    LARGEST_INDEX,
    CallFiles,
    Record,
    newer_half,
)

#: bytes of text in one record
_LONGEST = 1 << 16
#: bytes without an end of line that are held back, at most
_HELD = 1 << 13
#: lines that are told with a failure, characters of one, and bytes of the file in which they are sought
_LINES, _LINE, _END = 5, 500, 1 << 16
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC

_decoder = msgspec.json.Decoder(Record)

#: whose a printed line is: the function calls, and the input (empty where only the calls are known)
Owner = tuple[tuple[str, ...], str]


class CallLog:
    """One per container. Any thread may call it; in a forked child it does nothing. It never raises OSError."""

    def __init__(self, files: CallFiles | None = None, largest: int = LARGEST) -> None:
        """``files``: None, nothing is noted before ``be``; ``largest``: bytes of one file."""
        self._largest = largest
        #: what came of an owner on a stream and is not written yet
        self._held: dict[tuple[Owner, int], bytearray] = {}
        #: inputs that printed and run on, by id
        self.open: dict[str, Owner] = {}
        self.be(files)
        os.register_at_fork(after_in_child=self._leave)

    def be(self, files: CallFiles | None) -> None:
        """In a forked child that is a container, too: these are its files. No input has printed yet."""
        self._ours = files is not None
        self._files: CallFiles
        if files is not None:
            self._files = files
        #: one thread may come in twice: by a signal handler that prints
        self._lock = threading.RLock()
        self._descriptor = -1
        self._size = 0
        self._generation = 0
        #: calls that the index names for this generation
        self._indexed: set[str] = set()

    def put(self, owner: Owner, stream: int, data: bytes) -> None:
        """It is on its way to the container's log; ``flush`` says that it is there."""
        if not self._ours:
            return
        key = owner, stream
        with self._lock:
            held = self._held.get(key)
            if held is None:
                held = self._held[key] = bytearray()
                self.open.setdefault(owner[1], owner)
            held += data
            if len(held) > _HELD:
                self._flush(owner, stream, final=False)

    def flush(self, owner: Owner, stream: int) -> None:
        """Write what is held back."""
        if self._ours and (owner, stream) in self._held:
            with self._lock:
                self._flush(owner, stream, final=False)

    def end(self, name: str | None) -> None:
        """The input of this id has ended: its last line may lack an end."""
        if not self._ours or name is None:
            return
        with self._lock:
            for owner, stream in [key for key in self._held if key[0][1] in {name, ""}]:
                self._flush(owner, stream, final=True)
            self.open.pop("", None)
            ended = self.open.pop(name, None)
            if ended is not None:
                self._append(ended, ENDED, "")

    def latest(self, name: str) -> list[str]:
        """The last lines that the input of this id has printed, a few; it runs on, and is among ``open``."""
        owner = self.open.get(name)
        if not self._ours or owner is None:
            return []
        with self._lock, suppress(OSError):
            for stream in (1, 2):
                if (owner, stream) in self._held:
                    self._flush(owner, stream, final=False)
            return _last_lines(_end_of(self._files.current), name)
        return []

    def _leave(self) -> None:
        """In a forked child: its files are its parent's, and so may the lock be."""
        self._ours = False

    def _flush(self, owner: Owner, stream: int, *, final: bool) -> None:
        held = self._held.pop((owner, stream), None)
        if held:
            text, rest = _decoded(held, final=final)
            if rest:
                self._held[owner, stream] = rest
            self._write(owner, stream, text)

    def _write(self, owner: Owner, stream: int, text: str) -> None:
        for start in range(0, len(text), _LONGEST):
            self._append(owner, stream, text[start : start + _LONGEST])

    # -- files ----------------------------------------------------------------------------------------------------

    def _append(self, owner: Owner, stream: int, text: str) -> None:
        record = Record(time.time_ns(), *owner, stream, text)
        with suppress(OSError):  # a full disk, a folder that is gone: the input lives on
            self._store(owner, msgspec.json.encode(record) + b"\n")

    def _store(self, owner: Owner, data: bytes) -> None:
        if self._descriptor < 0 or self._size + len(data) > self._largest:
            data = self._next_file() + data
        self._note(owner)
        written = os.write(self._descriptor, data)
        self._size += written
        if written < len(data):  # half a record would take the next one along
            self._size += os.write(self._descriptor, b"\n")

    def _next_file(self) -> bytes:
        """Open it; gives its first record. The former one goes, and this one takes its place."""
        if self._descriptor >= 0:
            full, self._descriptor = self._descriptor, -1  # first: a cancel may raise between any two lines
            os.close(full)
            self._files.current.replace(self._files.former)
        self._descriptor = os.open(self._files.current, _FLAGS, 0o600)
        self._size = 0
        self._generation += 1
        self._indexed.clear()
        return msgspec.json.encode(Record(time.time_ns(), (), "", GENERATION, str(self._generation))) + b"\n"

    def _note(self, owner: Owner) -> None:
        """The index is written first: a call that is not in it printed nothing."""
        new = [call for call in owner[0] if call not in self._indexed]
        if not new:
            return
        index = self._files.index
        descriptor = os.open(index, _FLAGS, 0o600)
        try:
            os.write(descriptor, "".join(f"{call} {self._generation}\n" for call in new).encode())
            full = os.fstat(descriptor).st_size > LARGEST_INDEX
        finally:
            os.close(descriptor)
        self._indexed.update(new)
        if full:
            scratch = index.with_suffix(".new")
            scratch.write_bytes(newer_half(index.read_bytes()))
            scratch.replace(index)


def _end_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, os.fstat(opened.fileno()).st_size - _END))
        return opened.read()


def _last_lines(data: bytes, name: str) -> list[str]:
    """Of the records at the end of a file, those of this input."""
    mark, lines = msgspec.json.encode(name), [""]
    for record in data.split(b"\n"):
        with suppress(msgspec.DecodeError):  # the first one may be cut
            if mark in record and (found := _decoder.decode(record)).input == name:
                first, *more = found.text.split("\n")
                lines = [*lines[:-1], lines[-1] + first, *more][-_LINES - 1 :]
    return [line[:_LINE] for line in lines if line.strip()][-_LINES:]


def _decoded(data: bytearray, *, final: bool) -> tuple[str, bytearray]:
    """The text, and the bytes of a character that is not complete; what is no text is replaced."""
    try:
        return data.decode(), bytearray()
    except UnicodeDecodeError as error:
        if not final and error.reason == "unexpected end of data":
            return data[: error.start].decode(), data[error.start :]
        return data.decode(errors="replace"), bytearray()
