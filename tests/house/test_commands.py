"""What the texts tell a reader to type exists."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.house

TEXTS = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"]


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", makefile, flags=re.MULTILINE))


def commands_in(text: str) -> set[str]:
    """`make x` in backticks or at the start of a line of a code block."""
    return set(re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z][a-z-]*)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", TEXTS)
def test_every_make_command_of_a_text_is_in_the_makefile(name):
    assert commands_in((ROOT / name).read_text(encoding="utf-8")) <= targets()


def test_the_readme_names_the_two_commands():
    assert {"demo", "test"} <= commands_in((ROOT / "README.md").read_text(encoding="utf-8"))


def test_make_help_lists_every_command():
    help_text = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+)", help_text, flags=re.MULTILINE)) == targets()


def test_ci_runs_the_readmes_test_command():
    assert "make test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace("stage ", "")


@pytest.mark.parametrize("name", TEXTS)
def test_every_relative_link_of_a_text_leads_somewhere(name):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))
    assert not [link for link in links if not (ROOT / link).exists()]
