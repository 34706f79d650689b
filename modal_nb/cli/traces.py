"""Tracebacks of the user's code, remote frames included, without the frames of ours and of what we stand on."""

from __future__ import annotations

import asyncio
import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from modal_nb.cli.misuse import Misuse
from modal_nb.exception import Error
from modal_nb.runtime.remote_frames import is_own

#: what runs user code for us: its frames stand above the user's
_LAUNCHERS = tuple(str(Path(module.__file__ or "").parent) for module in (asyncio, importlib))


@contextmanager
def of_user_code() -> Iterator[None]:
    """Around code of the user's: what it raises is its traceback and exit code 1.

    Misuse passes, and so does an error of ours before any code of the user's: it is a sentence.
    """
    try:
        yield
    except (Misuse, typer.Exit):
        raise
    except Exception as error:
        if isinstance(error, Error) and not has_frames(error):
            raise
        print_trace(error)
        raise typer.Exit(1) from None


def has_frames(error: BaseException) -> bool:
    """Whether code of the user stands in its traceback."""
    return isinstance(error, SyntaxError) or bool(_pruned(traceback.TracebackException.from_exception(error)))


def print_trace(error: BaseException) -> None:
    """On stderr, as Python prints it."""
    shown = traceback.TracebackException.from_exception(error)
    _prune_all(shown)
    sys.stdout.flush()
    sys.stderr.write("".join(shown.format()))


def _prune_all(shown: traceback.TracebackException) -> None:
    shown.stack = _pruned(shown)
    for other in (shown.__cause__, shown.__context__, *(getattr(shown, "exceptions", None) or ())):
        if other is not None:
            _prune_all(other)


def _pruned(shown: traceback.TracebackException) -> traceback.StackSummary:
    frames = [
        frame
        for frame in shown.stack
        if not is_own(frame.filename) and not frame.filename.startswith("<frozen")
    ]
    while frames and frames[0].filename.startswith(_LAUNCHERS):
        del frames[0]
    return traceback.StackSummary.from_list(frames)
