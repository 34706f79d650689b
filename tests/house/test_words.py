"""One word per thing: Modal's where Modal has one, else Jupyter's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.tree import PRODUCT, files, name_of, parse

pytestmark = pytest.mark.house

#: a module is a noun of the domain
NO_NOUNS = {"common", "core", "helper", "helpers", "manager", "misc", "shared", "tools", "util", "utils"}
#: container, input, pool, function call, kernel and provisioner have these names and no others
OTHER_WORDS = {"worker", "engine", "job", "replica"}

#: `modal-nb` is named after its room, so its one function stands at the door
ENTRY_POINT = "modal_nb/cli/__init__.py"


def words_of(name: str) -> set[str]:
    return {part.lower().rstrip("s") for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def test_every_module_is_a_noun_of_the_domain():
    assert not [
        name_of(path) for path in files() if path.stem.strip("_") in NO_NOUNS or path.parent.name in NO_NOUNS
    ]


def test_definitions_use_the_words_of_the_domain():
    named = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in files("modal_nb")
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and words_of(node.name) & OTHER_WORDS
    ]
    assert not named


def rooms() -> list[Path]:
    return sorted({path.parent for path in files("modal_nb")} - {PRODUCT})


def test_each_room_has_its_rule_at_the_door_and_nothing_else():
    for room in rooms():
        door = room / "__init__.py"
        assert door.exists(), f"{name_of(room)} has no __init__.py"
        assert ast.get_docstring(parse(door)), f"{name_of(door)} does not tell the rule of the room"
        rest = [
            n for n in parse(door).body[1:] if not isinstance(n, ast.ImportFrom) or n.module != "__future__"
        ]
        if name_of(door) == ENTRY_POINT and isinstance(rest[-1], ast.FunctionDef):
            rest.pop()
        assert not rest, f"{name_of(door)} holds more than the rule of the room"
