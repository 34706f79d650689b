"""Every program of examples/ does what its own text and the table in examples/README.md say."""

from __future__ import annotations

import ast
import re
import shlex

import pytest

from tests.cli.terminal import modal_nb
from tests.house.tree import ROOT

FOLDER = ROOT / "examples"
PROGRAMS = sorted(path.name for path in FOLDER.glob("*.py"))

#: what a program prints with the arguments of its text
PRINTS = {
    "batched_inference.py": """\
good    what a lovely day
bad     this is terrible
bad     a bad film
good    good food and a great view
neither it is a chair
100 sentences, more than one in a pass: True
""",
    "concurrent_io.py": """\
QUESTION 0 ... QUESTION 39
40 answers, more than one at a time: True
""",
    "database_connection.py": """\
emma: 1815
before 1900: emma, middlemarch
4 books by 1 connection
""",
    "hello_functions.py": """\
Hello, Ada!
here: 49
the squares of 1 to 5 add up to 55
""",
    "image_tiles.py": """\
16 tiles of 64 x 64, 964 pixels of edge
the same as in one piece: True
""",
    "nested_calls.py": """\
and: 7
sun: 4
rain: 3
""",
    "parameter_sweep.py": """\
rate 0.001  momentum 0.0  error 2.909757
rate 0.001  momentum 0.5  error 2.040012
rate 0.001  momentum 0.9  error 0.162661
rate 0.01   momentum 0.0  error 0.174045
rate 0.01   momentum 0.5  error 0.008428
rate 0.01   momentum 0.9  error 0.000000
rate 0.1    momentum 0.0  error 0.000000
rate 0.1    momentum 0.5  error 0.000000
rate 0.1    momentum 0.9  error 0.000000
rate 0.5    momentum 0.0  error 0.000000
rate 0.5    momentum 0.5  error 0.000000
rate 0.5    momentum 0.9  error 0.000000
best: rate 0.01, momentum 0.9: y = 3.000x + 1.000
""",
    "rate_limited_fetch.py": """\
page 0 ... page 11
12 pages, 0 refused
""",
    "retries_with_state.py": """\
pages: 5
last try began after page: 4
""",
    "stream_tokens.py": """\
the cat sat on a mat while the cat sat on a mat
12 words, one by one
D-O-N-E
""",
    "warm_variants.py": """\
width 2: 'pa~~ lal~a', loaded 1 time for 3 answers
width 3: 'papapa lalala', loaded 1 time for 3 answers
""",
    "work_queue.py": """\
6 orders are in the kitchen, nobody waits
the first one: (0, 7)
order 0: 7
order 1: 10
order 2: 9
order 3: 7
order 4: 10
order 5: 9
together: 52
""",
}


def table() -> dict[str, list[str]]:
    """The rows of the README by program: what it shows, the command, the last line."""
    rows = {}
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines():
        if linked := re.match(r"\| \[(\w+\.py)\]\(\1\) \| (.*) \|$", line):
            rows[linked[1]] = [cell.strip("`") for cell in linked[2].split(" | ")]
    return rows


def command_of(program: str) -> str:
    text = ast.get_docstring(ast.parse((FOLDER / program).read_text(encoding="utf-8"))) or ""
    (line,) = re.findall(r"^Run it: (.*)$", text, flags=re.MULTILINE)
    return line


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_prints_what_is_promised(home, program):
    name, *arguments = shlex.split(command_of(program))
    assert (name, arguments[:2]) == ("modal-nb", ["run", f"examples/{program}"])
    done = modal_nb(*arguments, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == PRINTS[program]


def test_a_program_ends_its_containers(home):
    assert not home.containers()


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_readme_has_a_row_for_it(program):
    _, command, last = table()[program]
    assert command == command_of(program)
    assert last == PRINTS[program].splitlines()[-1]


def test_the_readme_has_no_other_rows():
    assert sorted(table()) == PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_its_import_tells_it_from_a_program_for_modal(program):
    text = (FOLDER / program).read_text(encoding="utf-8")
    code = text.replace(ast.get_docstring(ast.parse(text), clean=False) or "", "")
    assert code.count("import modal_nb as modal\n") == 1
    assert code.count("modal_nb") == 1
