"""Values of the user as frames of bytes: pickle protocol 5, big buffers beside the pickle instead of inside
it.

Layout of ``dumps``: frame 0 is the pickle, the others are its buffers in order.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modal_nb.exception import DeserializationError, ExecutionError
from modal_nb.runtime import blame, pickler
from modal_nb.runtime.pickler import PROTOCOL

#: anything with the buffer protocol
Frame = bytes | bytearray | memoryview

#: values that nobody can change, so that inputs which travel together may share them
SCALARS: frozenset[type] = frozenset({type(None), bool, int, float, complex, str, bytes})
_LEAVES: frozenset[type] = SCALARS | {bytearray, range}
_NESTED: frozenset[type] = frozenset({list, tuple, set, frozenset, dict})

#: containers inside containers that the check for plain values looks into before it gives up
_MAX_LOOKS = 200


def is_plain(value: Any) -> bool:
    """Whether plain C pickle carries this value faithfully: exact builtins and numpy data, nothing defined by
    users.

    Bounded: a deep or wide structure counts as not plain. Cloudpickle is right for every value, only slower.
    """
    return _are_plain((value,))


def _are_plain(values: Iterable[Any]) -> bool:
    looks = _MAX_LOOKS
    pending: list[Iterable[Any]] = [values]
    while pending:
        level = pending.pop()
        if _LEAVES.issuperset(map(type, level)):
            continue
        for value in level:
            kind = type(value)
            if kind in _LEAVES:
                continue
            looks -= 1
            if looks < 0:
                return False
            if kind in _NESTED:
                pending.append(value)
                if kind is dict:
                    pending.append(value.values())
            elif not _is_numpy_data(value, kind):
                return False
    return True


def _is_numpy_data(value: Any, kind: type) -> bool:
    if kind.__module__ != "numpy":
        return False
    numpy = sys.modules.get("numpy")
    if numpy is None or not (kind is numpy.ndarray or issubclass(kind, numpy.generic)):
        return False
    return not value.dtype.hasobject


def dumps(value: Any, *, what: str = "value") -> list[Frame]:
    """The frames of any picklable value; ``what`` names it in the error.

    Raises what pickling raised, with a sentence that says which part cannot be pickled and what to do.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        if is_plain(value):
            head = pickle.dumps(value, PROTOCOL, buffer_callback=buffers.append)
        else:
            head = pickler.dumps(value, buffers.append)
        return [head, *[buffer.raw() for buffer in buffers]]
    except Exception as error:
        explained = blame.explain(error, value, what)
        if explained is error:
            raise
        raise explained from error


def dumps_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], *, method: str = "") -> list[Frame]:
    """The frames of the arguments of one input. An error names the argument (counted from 1) or keyword at
    fault.
    """
    if not kwargs and SCALARS.issuperset(map(type, args)):
        return [pickle.dumps((tuple(args), {}), PROTOCOL)]
    pair = (tuple(args), dict(kwargs))
    try:
        return dumps(pair)
    except Exception:
        of = f" of {method}" if method else ""
        for number, value in enumerate(args, 1):
            dumps(value, what=f"argument {number}{of}")
        for name, value in kwargs.items():
            dumps(value, what=f"argument {name!r}{of}")
        raise


def loads(frames: Sequence[Frame]) -> Any:
    """The value of the frames that ``dumps`` made. Arrays come out writable, as they went in.

    Errors: ExecutionError when a module or name that the value needs does not exist here;
    DeserializationError when the value's own code failed to rebuild it.
    """
    try:
        if len(frames) == 1:
            return pickle.loads(frames[0])
        return pickle.loads(frames[0], buffers=map(_writable, frames[1:]))
    except Exception as error:
        raise _load_error(error) from error


def _writable(frame: Frame) -> Frame:
    """A transport that hands over writable memory pays nothing; other memory is copied once."""
    return bytearray(frame) if memoryview(frame).readonly else frame


def _load_error(error: Exception) -> Exception:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return ExecutionError(
            f"A value needs the module {error.name!r}, which cannot be imported here. "
            f"Install it in this environment, or return builtin types instead."
        )
    if isinstance(error, ImportError | AttributeError):
        return ExecutionError(
            f"A value needs a name that does not exist here ({error}). "
            f"Use the same versions of its package on both sides, or return builtin types instead."
        )
    return DeserializationError(f"A value could not be rebuilt here: {type(error).__name__}: {error}")


# --- many inputs, or many results, in one message ---

#: a pickle begins with 0x80, so the first byte tells a chunk from a single value
_CHUNK = b"C"


class Packed:
    """One value of a chunk that may not share objects with its neighbours: pickled by itself."""

    __slots__ = ("frames",)

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames


def pack(value: Any, *, what: str = "value") -> Any:
    """A value as a chunk carries it: scalars as they are, all others pickled now, so that later changes do
    not show.
    """
    return value if type(value) in SCALARS else Packed(dumps(value, what=what))


#: values whose size is their length, more or less
LONG: frozenset[type] = frozenset({str, bytes})
#: those that take next to no room
WEIGHTLESS = SCALARS - LONG


def weight(entry: Any) -> int:
    """How many bytes a packed value takes, roughly; numbers count nothing."""
    kind = type(entry)
    if kind in LONG:
        return len(entry)
    if kind is tuple:
        return sum([len(value) for value in entry if type(value) in LONG])
    return sum([memoryview(frame).nbytes for frame in entry.frames]) if kind is Packed else 0


def join_chunk(entries: Sequence[Any]) -> list[Frame]:
    """The frames of packed values: one pickle for all scalars, one pickle each for the others.

    Frame 0 holds the scalars and a table index -> (start, stop, first buffer, last buffer) into the joined
    pickles of frame 1 and the buffers behind it.
    """
    if Packed not in set(map(type, entries)):
        return [_CHUNK + pickle.dumps((list(entries), {}), PROTOCOL)]
    flat: list[Any] = []
    table: dict[int, tuple[int, int, int, int]] = {}
    pickles: list[Frame] = []
    buffers: list[Frame] = []
    offset = 0
    for index, entry in enumerate(entries):
        if type(entry) is not Packed:
            flat.append(entry)
            continue
        flat.append(None)
        head, *rest = entry.frames
        table[index] = (offset, offset + len(head), len(buffers), len(buffers) + len(rest))
        offset += len(head)
        pickles.append(head)
        buffers.extend(rest)
    first = _CHUNK + pickle.dumps((flat, table), PROTOCOL)
    return [first, b"".join(pickles), *buffers] if table else [first]


class Chunk(Sequence[Any]):
    """The values of one message, each rebuilt when it is asked for, so that a bad one spoils only itself."""

    __slots__ = ("_buffers", "_flat", "_pickles", "_table")

    def __init__(self, frames: Sequence[Frame]) -> None:
        flat, table = pickle.loads(memoryview(frames[0])[1:])
        self._flat: list[Any] = flat
        self._table: dict[int, tuple[int, int, int, int]] = table
        self._pickles = memoryview(frames[1]) if len(frames) > 1 else memoryview(b"")
        self._buffers = frames[2:]

    def __len__(self) -> int:
        return len(self._flat)

    @property
    def is_flat(self) -> bool:
        """Whether all values are scalars, or tuples of scalars."""
        return not self._table

    @property
    def scalars(self) -> list[Any]:
        """The values, with None where one is packed."""
        return self._flat

    def is_packed(self, index: int) -> bool:
        return index in self._table

    def __getitem__(self, index: Any) -> Any:
        place = self._table.get(index) if self._table else None
        if place is None:
            return self._flat[index]
        start, stop, first, last = place
        return loads([self._pickles[start:stop], *self._buffers[first:last]])


def is_chunk(frames: Sequence[Frame]) -> bool:
    return bytes(frames[0][:1]) == _CHUNK


def pack_arguments(args: Sequence[Any], kwargs: Mapping[str, Any], *, method: str = "") -> Any:
    """The arguments of one input as a chunk carries them; later changes to them do not show."""
    if not kwargs and type(args) is tuple and SCALARS.issuperset(map(type, args)):
        return args
    return Packed(dumps_arguments(args, kwargs, method=method))


def frames_of(packed: Any) -> list[Frame]:
    """The frames of a message that holds nothing but these packed arguments."""
    return packed.frames if type(packed) is Packed else dumps_arguments(packed, {})


def dumps_chunk(
    inputs: Sequence[tuple[Sequence[Any], Mapping[str, Any]]], *, method: str = ""
) -> list[Frame]:
    """The frames of the arguments of many inputs; inputs share no changeable object after the journey."""
    return join_chunk([pack_arguments(args, kwargs, method=method) for args, kwargs in inputs])


class Inputs:
    """The arguments in one message: of a single input, or of a chunk."""

    __slots__ = ("_chunk", "_frames", "count")

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = frames
        self._chunk = Chunk(frames) if is_chunk(frames) else None
        #: how many inputs the message holds
        self.count = 1 if self._chunk is None else len(self._chunk)

    @property
    def many(self) -> bool:
        return self._chunk is not None

    @property
    def rows(self) -> list[tuple[Any, ...]] | None:
        """The arguments of all inputs of a chunk, where all are plain and none has a name."""
        return self._chunk.scalars if self._chunk is not None and self._chunk.is_flat else None

    def __getitem__(self, index: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """(args, kwargs) of one input. Errors: as ``loads``; IndexError behind the last."""
        chunk = self._chunk
        if chunk is None:
            if index:
                raise IndexError(index)
            pair: tuple[tuple[Any, ...], dict[str, Any]] = loads(self._frames)
            return pair
        value = chunk[index]
        return value if chunk.is_packed(index) else (value, {})


def loads_chunk(frames: Sequence[Frame]) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """All inputs of a message as (args, kwargs), in order."""
    inputs = Inputs(frames)
    return [inputs[index] for index in range(inputs.count)]
