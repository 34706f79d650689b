"""Tracebacks that travel: frames and source lines as data, and traceback objects made of them again.

A caller sees remote frames as if they had run here: plain Python and IPython read the source lines from
``linecache``.
"""

from __future__ import annotations

import ast
import functools
import linecache
import os
import types
from collections import OrderedDict
from itertools import islice
from pathlib import Path
from typing import Any, cast

#: frames below this folder are the system's own and are not shown
_OWN_CODE = f"{Path(__file__).parents[1]}{os.sep}"

#: a file up to this many characters travels whole; of a longer one the lines around each frame
_WHOLE_FILE = 16_384
_LINES_AROUND = 15
#: of a deeper traceback the first and last halves travel
_MAX_FRAMES = 200
#: files whose remote lines are kept in linecache
_MAX_FILES = 500

#: [file, function, qualified function, its first line, line, end line, column, end column]; columns are in
#: UTF-8 bytes, or None
FrameRecord = list[Any]
#: file -> [[number of the first line, text], ...]
Sources = dict[str, list[Any]]


def is_own(filename: str) -> bool:
    """Whether a file belongs to modal_nb itself."""
    return filename.startswith(_OWN_CODE)


def record(traceback: types.TracebackType | None, sources: Sources) -> list[FrameRecord]:
    """The frames of the user's code, outermost first; adds the source lines they need to ``sources``."""
    frames: list[FrameRecord] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_own(code.co_filename):
            frames.append(_record_frame(traceback, code))
        traceback = traceback.tb_next
    if len(frames) > _MAX_FRAMES:
        half = _MAX_FRAMES // 2
        left_out = ["<left out>", f"{len(frames) - 2 * half} frames", "", 1, 1, 1, None, None]
        frames = [*frames[:half], left_out, *frames[-half:]]
    for frame in frames:
        _add_source(frame[0], frame[4], sources)
    return frames


def _record_frame(traceback: types.TracebackType, code: types.CodeType) -> FrameRecord:
    line, column = traceback.tb_lineno, None
    end_line, end_column = line, None
    if traceback.tb_lasti >= 0:
        position = next(islice(code.co_positions(), traceback.tb_lasti // 2, None), None)
        if position is not None and position[0] == line and None not in position:
            _, end_line, column, end_column = position  # type: ignore[assignment]
    # makes a module loaded by a special loader, such as one from a zip file, show its lines
    linecache.lazycache(code.co_filename, traceback.tb_frame.f_globals)
    function = [code.co_filename, code.co_name, code.co_qualname, code.co_firstlineno]
    return [*function, line, end_line, column, end_column]


def _add_source(filename: str, line: int, sources: Sources) -> None:
    lines = linecache.getlines(filename)
    pieces = sources.setdefault(filename, [])
    if not lines or any(first <= line < first + text.count("\n") for first, text in pieces):
        return
    if sum(map(len, lines)) <= _WHOLE_FILE:
        pieces[:] = [[1, "".join(lines)]]
        return
    first = max(1, line - _LINES_AROUND)
    pieces.append([first, "".join(piece[:500] for piece in lines[first - 1 : line + _LINES_AROUND])])


def rebuild(frames: list[FrameRecord], sources: Sources) -> types.TracebackType | None:
    """A traceback with these frames; it can be printed, walked and shown by IPython, its locals are empty."""
    names: dict[str, str] = {name: _name_here(name, pieces, frames) for name, pieces in sources.items()}
    traceback: types.TracebackType | None = None
    for filename, name, qualname, first, line, end_line, column, end_column in reversed(frames):
        here = names.get(filename) or filename
        place = (line, end_line, column, end_column)
        if column is None:  # not known: the whole line, which is then not underlined
            place = (line, line, 0, len(linecache.getline(here, line).rstrip().encode()))
        made = _traceback_at(here, name, qualname, first, place)
        traceback = types.TracebackType(traceback, made.tb_frame, made.tb_lasti, made.tb_lineno)
    return traceback


class _Stop(Exception):
    """Never seen by anybody."""


@functools.lru_cache(maxsize=512)
def _code_at(
    filename: str, name: str, qualname: str, first: int, place: tuple[int, int, int, int]
) -> types.CodeType:
    """Code of a function that begins at line ``first`` and raises at exactly this place: tracebacks underline the
    position of the instruction, IPython also looks for the function.
    """
    line, end_line, column, end_column = place
    spot = {"lineno": line, "end_lineno": end_line, "col_offset": column, "end_col_offset": end_column}
    statement = ast.Raise(exc=ast.Name(id="stop", ctx=ast.Load(), **spot), cause=None, **spot)
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.FunctionDef(name="at", args=nothing, body=[statement], decorator_list=[])
    function.lineno = function.end_lineno = first
    function.col_offset = function.end_col_offset = 0
    module = compile(ast.Module(body=[function], type_ignores=[]), filename, "exec")
    code = next(constant for constant in module.co_consts if isinstance(constant, types.CodeType))
    return code.replace(co_name=name, co_qualname=qualname)


def _traceback_at(
    filename: str, name: str, qualname: str, first: int, place: tuple[int, int, int, int]
) -> types.TracebackType:
    code = _code_at(filename, name, qualname, first, place)
    try:
        types.FunctionType(code, {"stop": _Stop, "__name__": "remote"})()
    except _Stop as stop:
        traceback = cast("types.TracebackType", stop.__traceback__)
        return cast("types.TracebackType", traceback.tb_next)
    raise AssertionError


# --- source lines ---

#: names that this module put into linecache, oldest first
_registered: OrderedDict[str, None] = OrderedDict()


def _name_here(filename: str, pieces: list[Any], frames: list[FrameRecord]) -> str:
    """The name under which the remote lines can be read here: its own, unless another text is known by that
    name.
    """
    if not pieces:
        return filename
    remote = _lines_of(pieces)
    wanted = {line for name, _, _, _, line, *_ in frames if name == filename}
    near = [number for line in wanted for number in range(line - 2, line + 3) if number in remote]
    if filename not in _registered:
        linecache.checkcache(filename)
        here = linecache.getlines(filename)
        if all(
            number <= len(here) and here[number - 1].rstrip() == remote[number].rstrip() for number in near
        ):
            return filename
        if here or Path(filename).exists():
            filename = f"container:{filename}"
    register(filename, remote)
    return filename


def _lines_of(pieces: list[Any]) -> dict[int, str]:
    return {
        first + offset: line
        for first, text in pieces
        for offset, line in enumerate(text.splitlines(keepends=True))
    }


def register(filename: str, lines: dict[int, str]) -> None:
    """Make lines (by number, from 1) readable by ``linecache`` under a name that is no file here."""
    entry = linecache.cache.get(filename)
    known = list(entry[2]) if filename in _registered and entry is not None and len(entry) == 4 else []
    known += ["\n"] * (max(lines) - len(known))
    for number, line in lines.items():
        known[number - 1] = line if line.endswith("\n") else line + "\n"
    # no time of change: linecache then never looks for a file
    linecache.cache[filename] = (sum(map(len, known)), None, known, filename)
    _registered[filename] = None
    _registered.move_to_end(filename)
    while len(_registered) > _MAX_FILES:
        linecache.cache.pop(_registered.popitem(last=False)[0], None)


def is_interactive(filename: str) -> bool:
    """Whether linecache knows the text of a name that is no file: a notebook cell, most likely."""
    entry = linecache.cache.get(filename)
    return entry is not None and len(entry) == 4 and entry[1] is None and not Path(filename).exists()
