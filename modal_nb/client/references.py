"""Handles travel as references: a name and the version of a class. Whoever sends one tells the supervisor of the class
first, and a container that receives one asks for it.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from modal_nb.client import introspect

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration

_lock = threading.Lock()
#: class -> (cells run, digest): taken again when a cell ran
_digests: weakref.WeakKeyDictionary[type, tuple[int, str]] = weakref.WeakKeyDictionary()
#: declarations whose references were pickled here: (name, digest) -> declaration
_sent: dict[tuple[str, str], Declaration] = {}
#: those that were pickled, as often as they were, and of which their app may not have been told
_untold: list[tuple[str, Declaration]] = []


def digest(user_cls: type) -> str:
    """The class digest, taken again when a cell has run since."""
    cells = introspect.cells_run()
    known = _digests.get(user_cls)
    if known is None or known[0] != cells:
        known = _digests[user_cls] = (cells, introspect.class_digest(user_cls))
    return known[1]


def travelling(declaration: Declaration) -> Declaration:
    """What stands for this class in a pickle; called while pickling."""
    if declaration.user_cls is None:
        return declaration
    version = digest(declaration.user_cls)
    with _lock:
        key = (declaration.name, version)
        _sent.setdefault(key, declaration)
        _untold.append((version, declaration))  # again, too: it may be another app that it is pickled for
    return declaration.travelling(version)


def origin(declaration: Declaration) -> Declaration | None:
    """The declaration that a reference came from, if it was sent from this process."""
    return _sent.get((declaration.name, declaration.digest))


def any_untold() -> bool:
    """Whether something was pickled that the supervisor must be told of before the message leaves."""
    return bool(_untold)


def take_untold() -> list[tuple[str, Declaration]]:
    """``untold``, and who asks sees to it alone."""
    with _lock:
        taken = _untold[:]
        _untold.clear()
        return taken


def untold() -> list[tuple[str, Declaration]]:
    """(digest, declaration) of what the supervisor must be told now, unless the app has it already."""
    with _lock:
        return _untold[:]


def told(done: list[tuple[str, Declaration]]) -> None:
    """The supervisor was told of these: only now may messages leave that were packed meanwhile."""
    gone = {id(one) for one in done}
    with _lock:
        _untold[:] = [one for one in _untold if id(one) not in gone]
