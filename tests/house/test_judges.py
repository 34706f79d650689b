"""ruff, mypy and import-linter agree with the whole tree."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.house

JUDGES = {
    "ruff-check": ["ruff", "check"],
    "ruff-format": ["ruff", "format", "--check"],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports", "--no-logo"],
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("judge", JUDGES)
def test_the_tree_passes(judge):
    command, *arguments = JUDGES[judge]
    program = Path(sysconfig.get_path("scripts"), command)
    assert program.exists(), f"{command} is not installed beside {sys.executable}: run `make test`"
    verdict = subprocess.run(
        [program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert verdict.returncode == 0, f"{verdict.stdout}\n{verdict.stderr}"
