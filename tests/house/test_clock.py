"""Decisions rest on the monotonic clock: nothing of the product asks for the time of day."""

from __future__ import annotations

import ast

import pytest

from tests.house.tree import PRODUCT, files, name_of, parse

pytestmark = pytest.mark.house

#: what jumps when somebody sets the clock of the machine
WALL = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
    ("time", "ctime"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
#: a Jupyter message says when it was made, a printed line says when it was printed; nobody decides by it
ALLOWED = {
    "modal_nb/protocol/codec.py": ["time.gmtime"],
    "modal_nb/container/call_log.py": ["time.time_ns", "time.time_ns"],
    # what is stored outlives this process and its monotonic clock: it is dated, and goes when it is too old
    "modal_nb/supervisor/deployment_handlers.py": ["time.time"] * 2,
    "modal_nb/supervisor/keeper.py": ["time.time"] * 4,
    "modal_nb/supervisor/lines.py": ["time.time"],
    "modal_nb/supervisor/object_handlers.py": ["time.time", "time.time"],
    "modal_nb/supervisor/stored.py": ["time.time"],
}


def asks_the_time(tree: ast.AST) -> list[str]:
    """Uses of a wall clock, as module.name; an import of such a name counts, too."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if (name, node.attr) in WALL:
                found.append(f"{name}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{one.name}" for one in node.names if (node.module, one.name) in WALL]
    return found


def test_nothing_asks_for_the_time_of_day():
    found = {name_of(path): uses for path in files(PRODUCT.name) if (uses := asks_the_time(parse(path)))}
    assert found == ALLOWED


@pytest.mark.parametrize(
    "code",
    ["import time\ntime.time()", "from time import time_ns", "import datetime\ndatetime.datetime.now()"],
)
def test_the_check_finds_what_it_looks_for(code):
    assert asks_the_time(ast.parse(code))
