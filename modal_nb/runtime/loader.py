"""The user's class on its way into a container: always by value, with the source lines of its notebook cells.

Frame 0 is a JSON head that can be read before anything is unpickled; then come the frames of the pickle.
"""

from __future__ import annotations

import json
import linecache
import pickle
import sys
import warnings
from collections.abc import Sequence
from typing import cast

import cloudpickle  # type: ignore[import-untyped]

from modal_nb.exception import DeserializationError, InvalidError, SerializationError
from modal_nb.runtime import blame, pickler, remote_frames
from modal_nb.runtime.payload import Frame, loads
from modal_nb.runtime.shape import remember_order
from modal_nb.spec import checks

#: bytes of a pickled class: above the first a warning, above the second an error
WARN_BYTES = 256 * 1024
MAX_BYTES = 16 * 1024 * 1024


def dump_class(cls: type) -> list[Frame]:
    """The frames of a class with all that it refers to by value. The client calls it when a pool is opened.

    Errors: SerializationError naming the global or attribute that cannot be pickled; InvalidError above 16
    MiB. Warns above 256 KiB.
    """
    remember_order(cls)
    buffers: list[pickle.PickleBuffer] = []
    try:
        body = _by_value(cls, buffers)
    except Exception as error:
        raise _cannot_pickle(cls, error) from error
    frames: list[Frame] = [body, *[buffer.raw() for buffer in buffers]]
    _check_size(cls, sum(memoryview(frame).nbytes for frame in frames))
    head = {"name": cls.__qualname__, **_versions(), "sources": _sources_in(body)}
    return [json.dumps(head).encode(), *frames]


def _by_value(cls: type, buffers: list[pickle.PickleBuffer]) -> bytes:
    """Cloudpickle goes by reference where an import finds the class, as one that is not decorated."""
    module = sys.modules.get(cls.__module__)
    if module is None or not pickler.is_importable(cls):
        return pickler.dumps(cls, buffers.append)
    cloudpickle.register_pickle_by_value(module)
    try:
        return pickler.dumps(cls, buffers.append)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def _cannot_pickle(cls: type, error: Exception) -> SerializationError:
    path, culprit = blame.culprit_of(cls)
    return SerializationError(
        f"The class {cls.__name__} cannot be sent to a container: {cls.__name__}{path} "
        f"({checks.an(type(culprit).__qualname__)}) cannot be pickled: {error}. "
        f"Make it in a method marked with @modal.enter(), or import it inside the method that uses it."
    )


def _check_size(cls: type, size: int) -> None:
    if size <= WARN_BYTES:
        return
    path, part_size = blame.heaviest(cls)
    most = f", of which {cls.__name__}{path} is {_mebibytes(part_size)}" if path else ""
    remedy = "Load big data in a method marked with @modal.enter(), or pass it as an argument."
    sentence = f"The class {cls.__name__} with all that it refers to takes {_mebibytes(size)}{most}"
    if size > MAX_BYTES:
        raise InvalidError(f"{sentence}; at most {_mebibytes(MAX_BYTES)} can be sent. {remedy}")
    warnings.warn(f"{sentence}; every container gets all of it. {remedy}", UserWarning, stacklevel=3)


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MiB"


def _sources_in(body: bytes) -> dict[str, str]:
    """Text of the notebook cells whose code is in the pickle: their names stand in it as file names."""
    return {
        name: "".join(linecache.getlines(name))
        for name in list(linecache.cache)
        if remote_frames.is_interactive(name) and name.encode() in body
    }


def _versions() -> dict[str, str]:
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "cloudpickle": cloudpickle.__version__,
    }


def load_class(frames: Sequence[Frame]) -> type:
    """The class of these frames. The container calls it once, on the main thread, with ``sys.path`` set.

    Errors: DeserializationError when Python or cloudpickle differ from the sender's; else as
    ``payload.loads``.
    """
    head = json.loads(bytes(frames[0]))
    for what, here in _versions().items():
        if head[what] != here:
            raise DeserializationError(
                f"The class {head['name']} was sent from {what} {head[what]} and this container has {here}: "
                f"code travels between equal versions only, so use the same {what} on both sides."
            )
    for name, text in head["sources"].items():
        if name not in linecache.cache and text:
            remote_frames.register(name, dict(enumerate(text.splitlines(keepends=True), 1)))
    return cast("type", loads(frames[1:]))
