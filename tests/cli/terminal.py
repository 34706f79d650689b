"""A real ``modal-nb``, as somebody types it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("modal-nb"))


def modal_nb(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run one command line to its end."""
    pipes = {"capture_output": True, "text": True, "timeout": 60}
    return subprocess.run([COMMAND, *arguments], check=False, **{**pipes, **options})


def begin(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start one, to be read from and interrupted."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([COMMAND, *arguments], **{**pipes, **options})


def one_line(text: str) -> str:
    """The sentence of a refusal, which is one line."""
    assert text.startswith("modal-nb: "), text
    assert text.count("\n") == 1, text
    return text.removeprefix("modal-nb: ").rstrip("\n")
