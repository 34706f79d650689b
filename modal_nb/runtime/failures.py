"""Exceptions of the user that travel: the same type, arguments, chain and notes, with their frames.

``dump_failure`` and ``load_failure`` never raise: whatever it does, the caller must be told something true.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

from modal_nb.exception import ExecutionError, SerializationError
from modal_nb.runtime import remote_frames, whereabouts
from modal_nb.runtime.payload import Frame, dumps, loads
from modal_nb.spec import checks

#: characters of one message or argument, and bytes of one exception, that travel
MAX_TEXT = 32_768
MAX_BYTES = 1 << 20
#: exceptions of one chain or group that travel
_MAX_NODES = 50


# --- leaving ---


def dump_failure(exc: BaseException) -> tuple[dict[str, Any], list[Frame]]:
    """(content that can be JSON, frames) of an exception with its chain, group members and source lines."""
    try:
        return _dump(exc)
    except Exception as problem:  # noqa: BLE001 - a last resort that calls nothing of the user's
        name = type.__getattribute__(type(exc), "__qualname__")
        text = f"{name} (it cannot be described: {type(problem).__name__})"
        return {"type": name, "message": "", "traceback": text, "nodes": [], "sources": {}}, []


def _dump(exc: BaseException) -> tuple[dict[str, Any], list[Frame]]:
    chain = _chain(exc)
    numbers = {id(error): number for number, error in enumerate(chain)}
    members = {
        id(member): [numbers[id(group)], place]
        for group in chain
        if isinstance(group, BaseExceptionGroup)
        for place, member in enumerate(group.exceptions)
        if id(member) in numbers
    }
    sources: remote_frames.Sources = {}
    frames: list[Frame] = []
    nodes: list[dict[str, Any]] = []
    for error in chain:
        packed = [] if id(error) in members else _freeze(error)
        nodes.append(
            {
                "at": [len(frames), len(frames) + len(packed)],
                "member": members.get(id(error)),
                "cause": numbers.get(id(error.__cause__)),
                "context": numbers.get(id(error.__context__)),
                "suppress": error.__suppress_context__,
                "notes": [_cut(note) for note in getattr(error, "__notes__", ()) if isinstance(note, str)],
                "frames": remote_frames.record(error.__traceback__, sources),
                "where": whereabouts.packed(error),
            }
        )
        frames += packed
    content = {
        "type": _name(exc),
        "message": _cut(_text(exc)),
        "traceback": _cut(_remote_text(exc)),
        "nodes": nodes,
        "sources": sources,
    }
    return content, frames


def _chain(exc: BaseException) -> list[BaseException]:
    """The exception first, then all it refers to; each once, as chains may be circles."""
    found = {id(exc): exc}
    pending = [exc]
    while pending and len(found) < _MAX_NODES:
        for error in _referred(pending.pop(0)):
            if id(error) not in found:
                found[id(error)] = error
                pending.append(error)
    return list(found.values())


def _referred(error: BaseException) -> Iterator[BaseException]:
    if error.__cause__ is not None:
        yield error.__cause__
    if error.__context__ is not None:
        yield error.__context__
    if isinstance(error, BaseExceptionGroup):
        yield from error.exceptions


def _freeze(error: BaseException) -> list[Frame]:
    """The frames of one exception: by its own way of pickling if that gives it back, else by its parts.

    An exception whose ``__init__`` takes other arguments than it passes on cannot be rebuilt by calling it.
    """
    try:
        own = dumps(("own", error))
        if _size(own) <= MAX_BYTES and _is_like(loads(own)[1], error):
            return own
    except Exception:  # noqa: BLE001 - then by parts
        own = []
    try:
        parts = dumps(("parts", type(error), error.args, _state(error)))
        if _size(parts) > MAX_BYTES:
            parts = dumps(("parts", type(error), _cut_all(error.args), _cut_all(_state(error))))
        if _size(parts) <= MAX_BYTES and _is_like(_thaw(parts), error, cut=True):
            return parts
        reason = f"it takes {_size(parts)} bytes, of which {MAX_BYTES} may travel"
    except Exception as problem:  # noqa: BLE001 - told in the sentence
        reason = str(problem)
    sentence = f"The exception {_name(error)} cannot be pickled ({_cut(reason, 500)}): {_cut(_repr(error))}"
    return dumps(("own", SerializationError(sentence)))


def _is_like(rebuilt: Any, error: BaseException, *, cut: bool = False) -> bool:
    if type(rebuilt) is not type(error) or len(rebuilt.args) != len(error.args):
        return False
    return cut or _text(rebuilt) == _text(error)


def _state(error: BaseException) -> dict[str, Any]:
    apart = {"__notes__", whereabouts.ATTRIBUTE}
    return {name: value for name, value in vars(error).items() if name not in apart}


def _size(frames: Sequence[Frame]) -> int:
    return sum(memoryview(frame).nbytes for frame in frames)


def _cut(text: str, limit: int = MAX_TEXT) -> str:
    if len(text) <= limit:
        return text
    return f"{text[:limit]}... [cut: {len(text)} characters, the first {limit} are shown]"


def _cut_all(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _cut_all(value) for name, value in values.items()}
    if isinstance(values, tuple):
        return tuple(_cut_all(value) for value in values)
    if isinstance(values, bytes):
        return values[:MAX_TEXT]
    return _cut(values) if isinstance(values, str) else values


def _name(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ in {"builtins", "__main__"}
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as problem:  # noqa: BLE001 - user code
        return f"<its text cannot be had: {type(problem).__name__}>"


def _repr(error: BaseException) -> str:
    try:
        return repr(error)
    except Exception as problem:  # noqa: BLE001 - user code
        return f"<{_name(error)}, whose repr fails with {type(problem).__name__}>"


def _remote_text(exc: BaseException) -> str:
    """What Python would print, without the frames of modal_nb."""
    try:
        whole = traceback.TracebackException.from_exception(exc)
        _drop_own(whole, set())
        return "".join(whole.format())
    except Exception:  # noqa: BLE001 - user code: __str__ of a cause, say
        return f"{_name(exc)}: {_text(exc)}\n"


def _drop_own(part: traceback.TracebackException | None, seen: set[int]) -> None:
    if part is None or id(part) in seen:
        return
    seen.add(id(part))
    kept = [frame for frame in part.stack if not remote_frames.is_own(frame.filename)]
    part.stack = traceback.StackSummary.from_list(kept)
    for other in (part.__cause__, part.__context__, *(part.exceptions or ())):
        _drop_own(other, seen)


# --- arriving ---


def load_failure(content: Any, frames: Sequence[Frame]) -> BaseException:
    """The exception to raise at the caller. Its traceback holds the remote frames, ``raise`` adds local ones.

    Raise it outside of any ``except``, else Python replaces its context. A class that does not exist here, or
    that cannot be rebuilt, gives an ExecutionError with the remote traceback as text.
    """
    try:
        error = _load(content, frames)
    except Exception as problem:  # noqa: BLE001 - whatever arrived
        error = _unknown(content if isinstance(content, dict) else {}, problem)
    with contextlib.suppress(Exception):
        left = whereabouts.unpacked([content["where"]])
        whereabouts.put(error, (*whereabouts.of(error), *left))
    return error


def _load(content: dict[str, Any], frames: Sequence[Frame]) -> BaseException:
    nodes, sources = content["nodes"], content["sources"]
    if not nodes:
        return _unknown(content, None)
    errors: list[Any] = []  # an exception, or None where it cannot be had
    for number, node in enumerate(nodes):
        errors.append(_load_node(content, node, frames, errors, is_first=number == 0))
    for error, node in zip(errors, nodes, strict=True):
        if error is not None:
            _restore(error, node, errors, sources)
    first: BaseException = errors[0]
    return first


def _load_node(
    content: dict[str, Any],
    node: dict[str, Any],
    frames: Sequence[Frame],
    errors: list[BaseException | None],
    *,
    is_first: bool,
) -> BaseException | None:
    if node["member"] is not None:
        group_number, place = node["member"]
        group = errors[group_number] if group_number < len(errors) else None
        return group.exceptions[place] if isinstance(group, BaseExceptionGroup) else None
    start, stop = node["at"]
    try:
        return _thaw(frames[start:stop])
    except Exception as problem:  # noqa: BLE001 - the user's class, or its absence
        return _unknown(content, problem) if is_first else None


def _thaw(frames: Sequence[Frame]) -> BaseException:
    way, *parts = loads(frames)
    if way == "own":
        error = parts[0]
    else:
        kind, args, state = parts
        error = kind.__new__(kind, *args)
        error.args = args
        error.__dict__.update(state)
    if not isinstance(error, BaseException):
        message = f"it was rebuilt as {checks.an(type(error).__name__)}"
        raise TypeError(message)
    return error


def _restore(
    error: BaseException,
    node: dict[str, Any],
    errors: list[BaseException | None],
    sources: remote_frames.Sources,
) -> None:
    with contextlib.suppress(Exception):
        error.__cause__ = error.__cause__ if node["cause"] is None else errors[node["cause"]]
        error.__context__ = None if node["context"] is None else errors[node["context"]]
        error.__suppress_context__ = node["suppress"]
        present = getattr(error, "__notes__", ())
        for note in node["notes"]:
            if note not in present:
                error.add_note(note)
    with contextlib.suppress(Exception):
        error.__traceback__ = remote_frames.rebuild(node["frames"], sources)
    with contextlib.suppress(Exception):
        if hops := whereabouts.unpacked(node["where"]):
            whereabouts.put(error, hops)


def _unknown(content: dict[str, Any], problem: Exception | None) -> ExecutionError:
    name, message = content.get("type", "an exception"), content.get("message", "")
    reason = f" ({type(problem).__name__}: {_cut(_text(problem), 500)})" if problem is not None else ""
    error = ExecutionError(
        f"The container raised {name}: {message}\n"
        f"It cannot be rebuilt here{reason}. Its traceback in the container:\n\n"
        f"{content.get('traceback', '')}"
    )
    error.__cause__ = problem
    return error
