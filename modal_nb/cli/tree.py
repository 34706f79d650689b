"""The commands by name, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from modal_nb.cli.misuse import Misuse
from modal_nb.exception import Error

#: of a shell, for a program that Ctrl-C ended
INTERRUPTED = 130


class Entry(NamedTuple):
    """A command or a group of commands: the Typer in its module, and its line in the help of all."""

    module: str
    name: str
    help: str


COMMANDS = {
    "run": Entry("run", "command", "Run an entrypoint, function or method of a file, with flags of its own."),
    "deploy": Entry("apps", "deploy", "Deploy an app: it runs on, and is found by its name."),
    "shell": Entry("shell", "command", "Open a console in a new container of a class."),
    "status": Entry("status", "status", "Show the apps, pools and containers that run here."),
    "scale": Entry("scale", "command", "Change the autoscaler of a pool."),
    "container": Entry("container", "group", "Single containers: list, logs, exec, start, stop."),
    "app": Entry("apps", "group", "Deployed apps: list, logs, stop."),
    "call": Entry("calls", "group", "Calls made by .spawn of deployed apps: list, get, logs, cancel."),
    "environment": Entry("apps", "environments", "Environments: list, create."),
    "supervisor": Entry("status", "supervisor", "The process that schedules: start it."),
    "stop": Entry("status", "stop", "End the supervisor and everything that it runs."),
    "config": Entry("config", "group", "Settings, and where each comes from."),
    "doctor": Entry("doctor", "command", "What this machine can do, and how to get the rest."),
    "version": Entry("status", "version", "Print the version."),
}


class Tree(TyperGroup):
    """Loads the module of a command when that is used."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # the names, for "did you mean"
        self.commands = cast("Any", dict.fromkeys(COMMANDS))

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: typer.Typer = getattr(import_module(f"modal_nb.cli.{entry.module}"), entry.name)
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


app = typer.Typer(cls=Tree, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _everything() -> None:
    """Modal's Cls on your own machines: run, see and steer what is served here."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, by default that of the process; returns its exit code."""
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="modal-nb", standalone_mode=False)
    except TyperException as error:
        return _told(error.format_message(), error.exit_code)
    except Misuse as error:
        return _told(str(error), 2)
    except Error as error:
        return _told(str(error), 1)
    except typer.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        # who read our output has seen enough; the interpreter shall not complain when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _told(message: str, code: int) -> int:
    if message.startswith("Usage:"):  # a group without a command shows its help
        typer.echo(message, err=True)
    else:
        lines = message if code == 1 else " ".join(message.split())
        typer.echo(f"modal-nb: {lines}", err=True)
    return code
