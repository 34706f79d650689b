"""A script in a process of its own: a client that is not this one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def start(
    folder: Path, text: str, *, python: str = sys.executable, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    """Run ``text`` as a script in ``folder``; its output is read from ``stdout``."""
    file = folder / "script.py"
    file.write_text(text, encoding="utf-8")
    return subprocess.Popen(
        [python, str(file)],
        cwd=folder,
        text=True,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(folder: Path, text: str, *, python: str = sys.executable) -> str:
    """Run ``text`` to its end; what it printed. It must succeed."""
    with start(folder, text, python=python) as process:
        try:
            printed, errors = process.communicate(timeout=60)
        except BaseException:
            process.kill()
            raise
    assert process.returncode == 0, errors
    return printed
