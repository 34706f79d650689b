"""``modal-nb run``: an app runs for as long as one of its entrypoints, functions or methods does."""

from __future__ import annotations

from typing import Annotated

import typer

from modal_nb.cli import traces
from modal_nb.cli.loading import IsModule, Loaded, Target, load
from modal_nb.cli.misuse import Misuse
from modal_nb.cli.output import commands
from modal_nb.cli.target import Entry, Served, find
from modal_nb.client.app import App
from modal_nb.exception import Error, InvalidError
from modal_nb.spec import checks

command = commands()

#: the rest of the line belongs to what is run
REST = {"allow_interspersed_args": False, "ignore_unknown_options": True}

Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[FLAGS]...", help="Its own flags; --help lists them.")
]


@command.command(context_settings=REST)
def run(target: Target, arguments: Arguments = None, *, module: IsModule = False) -> None:
    """Run an entrypoint here, or a function or method in a container, while its app runs.

    Without a NAME it is the app's only entrypoint, else its only function or method. Its parameters are flags, those of
    a method's class, too. What a function or method returns is printed; a generator's items as they come.
    """
    rest = arguments or []
    try:
        loaded = load(target, rest, is_module=module)
        found = find(loaded)
        values = found.flags().parse(f"modal-nb run {'-m ' if module else ''}{target}", rest)
        if values is not None:
            with found.app.run(name=run_name(found.app, loaded)):
                _call(found, values)
    except (Misuse, typer.Exit):
        raise
    except Exception as error:
        # an error of ours before any code of the user's is a sentence
        if isinstance(error, Error) and not traces.has_frames(error):
            raise
        traces.print_trace(error)
        raise typer.Exit(1) from None


def _call(found: Entry | Served, values: dict[str, object]) -> None:
    if isinstance(found, Entry):
        found.call(values)
        return
    for result in found.call(values):
        if result is not None:
            print(result, flush=True)  # noqa: T201 - the result of the command


def run_name(app: App, loaded: Loaded) -> str | None:
    """What people see: the app's own name, else that of its file."""
    try:
        return app.name or checks.object_name("App", loaded.module.__name__)
    except InvalidError:
        return None
