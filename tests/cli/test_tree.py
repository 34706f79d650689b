"""The tree of commands: quick to show, each loaded when it is used, and plain where nobody looks."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from modal_nb.cli.tree import COMMANDS
from tests.cli.terminal import COMMAND, modal_nb, one_line

HEAVY = ["jupyter_client", "rich", "tomlkit", "zmq", "psutil", "msgspec", "modal_nb.client"]
PROBE = """
import json, sys
from modal_nb.cli.tree import run
code = run(["--help"])
print(json.dumps([code, sorted(sys.modules)]))
"""


def test_help_lists_all_commands_and_loads_none_of_them():
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    assert not [name for name in HEAVY if name in loaded]
    listed = [
        line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != " "
    ]
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name):
    told = modal_nb(name, "--help")
    assert told.returncode == 0
    assert told.stdout.startswith(f"Usage: modal-nb {name} ")
    assert told.stderr == ""


@pytest.mark.parametrize("arguments", [[], ["container"], ["supervisor"], ["config"]])
def test_a_group_alone_shows_its_help_and_is_misuse(arguments):
    told = modal_nb(*arguments)
    assert told.stderr.startswith("Usage: modal-nb ")
    assert (told.returncode, told.stdout) == (2, "")


def test_a_command_that_is_not_there_is_one_line_with_what_may_be_meant():
    told = modal_nb("contaner")
    assert one_line(told.stderr) == "No such command 'contaner'. Did you mean 'container'?"
    assert told.returncode == 2


def test_the_module_is_the_same_as_the_script():
    told = subprocess.run(
        [sys.executable, "-m", "modal_nb.cli", "version"], capture_output=True, text=True, check=True
    )
    assert told.stdout == modal_nb("version").stdout


def test_only_a_terminal_gets_colours(home):
    assert "\x1b" not in modal_nb("config", "show").stdout
    outer, inner = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "200"}
    environ.pop("NO_COLOR", None)
    with subprocess.Popen([COMMAND, "config", "show"], stdout=inner, env=environ) as running:
        os.close(inner)
        shown = b""
        while chunk := _read(outer):
            shown += chunk
    os.close(outer)
    assert running.returncode == 0
    assert b"\x1b[1m" in shown


def _read(descriptor):
    """b"" when the other side is closed, which Linux calls an error of the line."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_a_reader_that_goes_away_early_is_no_trouble(home):
    with subprocess.Popen(
        [COMMAND, "config", "show"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        running.stdout.close()
        assert running.stderr.read() == b""
