"""Which names a piece of code looks up outside of itself."""

from __future__ import annotations

import dis
import functools
import types

_GLOBAL_OPS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"})


@functools.lru_cache(maxsize=4096)
def _names(code: types.CodeType) -> tuple[tuple[str, ...], tuple[str, ...]]:
    used: dict[str, None] = {}
    imported: dict[str, None] = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBAL_OPS:
            used[instruction.argval] = None
        elif instruction.opname == "IMPORT_NAME":
            imported[instruction.argval] = None
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner_used, inner_imported = _names(constant)
            used.update(dict.fromkeys(inner_used))
            imported.update(dict.fromkeys(inner_imported))
    return tuple(used), tuple(imported)


def global_names(code: types.CodeType) -> tuple[str, ...]:
    """Names that the code, or code nested in it, may read or write as globals, in order of appearance."""
    return _names(code)[0]


def imported_names(code: types.CodeType) -> tuple[str, ...]:
    """Modules that ``import`` statements inside the code, or code nested in it, name."""
    return _names(code)[1]
