"""Where an exception comes from: the container and the input; it is kept on the exception and travels with it.

``error.__modal_nb__`` is a tuple of ``Where``: first the container that raised it, then each one whose code called on
and let it pass. It is the exception's own attribute, so copies and pickles of the exception have it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from types import SimpleNamespace
from typing import Any

from modal_nb.runtime import context
from modal_nb.runtime.context import process

ATTRIBUTE = "__modal_nb__"
#: containers that one exception remembers
_MOST = 20


@dataclass(frozen=True, slots=True)
class Where:
    """One container that an exception left."""

    #: "ct-..."
    container: str
    #: the supervisor's number of it; 0: not known
    number: int = 0
    #: "in-..." and "fc-..."; empty where no input ran
    input: str = ""
    call: str = ""
    #: class and method; the caller knows it
    label: str = ""
    #: the last lines that the input had printed, as they are
    printed: tuple[str, ...] = ()

    def __reduce__(self) -> Any:
        # an exception of the user can be unpickled where this package is not
        return SimpleNamespace, (), asdict(self)


_NAMES = tuple(field.name for field in fields(Where))


def of(error: BaseException) -> tuple[Where, ...]:
    """Where it comes from, the container that raised it first; empty for one that was raised here."""
    try:
        kept = vars(error).get(ATTRIBUTE, ())
        return tuple(Where(**{name: getattr(one, name) for name in _NAMES}) for one in kept)
    except Exception:  # noqa: BLE001 - the user's class, or somebody's attribute
        return ()


def put(error: BaseException, hops: Sequence[Where]) -> None:
    """Have it say so. An exception that will not be changed stays as it is."""
    with suppress(Exception):
        vars(error)[ATTRIBUTE] = tuple(hops[:_MOST])


def packed(error: BaseException) -> list[dict[str, Any]]:
    """``of`` as JSON."""
    return [asdict(one) for one in of(error)]


def unpacked(found: Sequence[dict[str, Any]]) -> tuple[Where, ...]:
    """What ``packed`` made."""
    return tuple(Where(**{**one, "printed": tuple(one.get("printed", ()))}) for one in found)


def here(call: str | None = None, name: str | None = None) -> Where | None:
    """The current container and the input that it serves; None outside of containers.

    ``call`` and ``name``: of another input, which fails for the same reason: those of a batch do.
    """
    container = process.container_id
    if container is None:
        return None
    serves = context.current_input_id() or ""
    return Where(
        container,
        0 if process.link is None else process.link.container,
        name or serves,
        call or context.current_function_call_id() or "",
        printed=tuple(process.printed_lately(serves)) if serves in process.printed else (),
    )
