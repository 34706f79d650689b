"""What mypy and pyright make of programs: the snippets say which lines are errors, and what type all else has.

A line that ends with ``# error`` is one to both, with ``# error: mypy`` to mypy only; all other lines are none, so that
each ``assert_type`` holds. Both are strict, and each runs once, over all snippets and the programs of examples/.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.house.tree import ROOT

HERE = Path(__file__).parent
EXAMPLES = ROOT / "examples"
SNIPPETS = sorted(path.name for path in (HERE / "snippets").glob("*.py"))
MARK = re.compile(r"# error(?:: (mypy|pyright))?$")

#: per file: line -> the first thing said about it
Found = dict[str, dict[int, str]]

pytestmark = pytest.mark.timeout(300)


def program(name: str) -> Path:
    path = Path(sysconfig.get_path("scripts"), name)
    assert path.exists(), f"{name} is not installed beside {sys.executable}: run `make test`"
    return path


def say(*command: object) -> str:
    """What a checker printed; it ends with 1 because there are errors."""
    done = subprocess.run(
        [str(part) for part in command], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mypy() -> Found:
    cache = ROOT / ".mypy_cache" / "snippets"
    printed = say(
        program("mypy"),
        "--config-file=mypy.ini",
        f"--cache-dir={cache}",
        "--output=json",
        "snippets",
        EXAMPLES,
    )
    found: Found = {}
    for fault in map(json.loads, printed.splitlines()):
        if fault["severity"] == "error":
            found.setdefault(Path(fault["file"]).name, {}).setdefault(fault["line"], fault["message"])
    return found


@pytest.fixture(scope="module")
def pyright() -> Found:
    printed = say(
        program("basedpyright"),
        "--project=pyrightconfig.json",
        f"--pythonpath={sys.executable}",
        "--outputjson",
    )
    found: Found = {}
    for fault in json.loads(printed)["generalDiagnostics"]:
        if fault["severity"] == "error":
            line = fault["range"]["start"]["line"] + 1
            found.setdefault(Path(fault["file"]).name, {}).setdefault(line, fault["message"])
    return found


def marked(snippet: str, checker: str) -> set[int]:
    lines = (HERE / "snippets" / snippet).read_text(encoding="utf-8").splitlines()
    marks = {number: MARK.search(line) for number, line in enumerate(lines, 1)}
    return {number for number, mark in marks.items() if mark and mark[1] in {None, checker}}


def surprises(snippet: str, checker: str, found: Found) -> list[str]:
    """Lines that are errors and are not marked, and the other way round."""
    said, wanted = found.get(snippet, {}), marked(snippet, checker)
    return [f"{snippet}:{line}: {said[line]}" for line in sorted(said.keys() - wanted)] + [
        f"{snippet}:{line}: no error here" for line in sorted(wanted - said.keys())
    ]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_mypy_sees_what_the_snippet_says(mypy, snippet):
    assert not surprises(snippet, "mypy", mypy)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_pyright_sees_what_the_snippet_says(pyright, snippet):
    assert not surprises(snippet, "pyright", pyright)


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_no_example_has_an_error(request, checker):
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    found: Found = request.getfixturevalue(checker)
    assert programs
    assert not {name: said for name, said in found.items() if name in programs}


def test_the_check_finds_what_it_looks_for(mypy):
    snippet = SNIPPETS[0]
    assert marked(snippet, "mypy")
    assert len(surprises(snippet, "mypy", {})) == len(marked(snippet, "mypy"))
    assert surprises(snippet, "mypy", {snippet: mypy[snippet] | {1: "a surprise"}}) == [
        f"{snippet}:1: a surprise"
    ]
