"""``modal-nb run``: an app runs for as long as one of its entrypoints, functions or methods does."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modal_nb.cli import traces
from modal_nb.cli.container_log import Printing
from modal_nb.cli.loading import IsModule, Loaded, Target, load
from modal_nb.cli.output import commands
from modal_nb.cli.target import Entry, Served, find
from modal_nb.client.app import App
from modal_nb.client.screens import answering
from modal_nb.exception import InvalidError
from modal_nb.spec import checks

command = commands()

#: the rest of the line belongs to what is run
REST = {"allow_interspersed_args": False, "ignore_unknown_options": True}

Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[FLAGS]...", help="Its own flags; --help lists them.")
]


Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Do not show what containers print; modal-nb container logs has it."),
]


@command.command(context_settings=REST)
def run(
    target: Target, arguments: Arguments = None, *, module: IsModule = False, quiet: Quiet = False
) -> None:
    """Run an entrypoint here, or a function or method in a container, while its app runs.

    Without a NAME it is the app's only entrypoint, else its only function or method. Its parameters are flags, those of
    a method's class, too. What containers print comes on stderr. What a function or method returns is printed last; a
    generator's items as they come.
    """
    rest = arguments or []
    with traces.of_user_code():
        loaded = load(target, rest, is_module=module)
        found = find(loaded)
        values = found.flags().parse(f"modal-nb run {'-m ' if module else ''}{target}", rest)
        if values is not None:
            _run(found, values, run_name(found.app, loaded), quiet=quiet)


def _run(found: Entry | Served, values: dict[str, Any], name: str | None, *, quiet: bool) -> None:
    printing: Printing | None = None
    results: list[Any] = []
    try:
        with found.app.run(name=name), answering():
            printing = None if quiet else Printing(found.app)
            try:
                _call(found, values, results)
            finally:
                if printing is not None:
                    printing.look()
    finally:
        if printing is not None:
            printing.end()
        # below what its container printed
        for result in results:
            _print(result)


def _call(found: Entry | Served, values: dict[str, Any], results: list[Any]) -> None:
    if isinstance(found, Entry):
        found.call(values)
    elif found.method.is_generator:
        for item in found.call(values):
            _print(item)
    else:
        results += found.call(values)


def _print(result: Any) -> None:
    if result is not None:
        print(result, flush=True)  # noqa: T201 - the result of the command


def run_name(app: App, loaded: Loaded) -> str | None:
    """What people see: the app's own name, else that of its file."""
    try:
        return app.name or checks.object_name("App", loaded.module.__name__)
    except InvalidError:
        return None
