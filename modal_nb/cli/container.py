"""``modal-nb container``: single containers."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from modal_nb.cli.misuse import Misuse
from modal_nb.cli.output import Json, commands, print_json, print_table
from modal_nb.cli.status import state_of
from modal_nb.cli.supervision import alive, container_named, containers, link, pool_named, running_link
from modal_nb.cli.supervision import status as status_of
from modal_nb.client.facts import start_words
from modal_nb.protocol import messages as ms

group = commands("Single containers: see them, reach into one, start one more, end one.")

Pool = Annotated[str, typer.Argument(help="The class, or the number of its pool.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="The container, or the beginning of its id.")]


@group.command("list")
def show(*, json: Json = False) -> None:
    """List the containers of all apps."""
    asked = running_link()
    found = [] if asked is None else list(containers(status_of(asked)))
    if json:
        print_json(
            [
                {
                    "app": one.app.name,
                    "app_id": one.app.id,
                    "class": one.pool.service,
                    "pool": one.pool.pool,
                    **one.container.content(),
                }
                for one in found
            ]
        )
        return
    if not found:
        typer.echo("No containers.")
        return
    rows = [
        (c.id, one.app.name, one.pool.service, state_of(c), f"{c.age:.0f}", c.served, c.pid, _start(c))
        for one in found
        for c in [one.container]
    ]
    print_table(
        ["container", "app", "class", "state", "age s", "inputs", "pid", "start"], rows, whole=["container"]
    )


def _start(container: ms.ContainerStatus) -> str:
    """How long it took, and how; --json has the phases."""
    return start_words(container.start["total"], container.way) if "total" in container.start else ""


@group.command()
def logs(
    identity: Identity,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the container has ended.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="Only so many lines from the end.")
    ] = None,
) -> None:
    """Print what a container has printed, also of one that has ended: the logs of the last ones are kept."""
    # read by this command alone
    from modal_nb.cli import container_log  # noqa: PLC0415 - `container list` need not wait for it

    container_log.show(identity, tail=tail, follow=follow)


@group.command("exec")
def execute(
    identity: Identity,
    code: Annotated[list[str] | None, typer.Argument(metavar="[-- CODE]", help="Python code.")] = None,
    *,
    command: Annotated[str, typer.Option("--code", "-c", help="Python code, as one argument.")] = "",
) -> None:
    """Run Python code in a live container, where `self` is the object that serves; prints as a notebook does.

    It runs between two inputs, or beside those that are awaited. Exit code 1 when it raises. Without code, in a
    terminal: an IPython console there; `exit` leaves it, and the container serves on.
    """
    text = command or " ".join(code or ())
    people = not text.strip() and not command and not code and sys.stdin.isatty()
    if not people and (not text.strip() or (command and code)):
        raise Misuse("say once what to run: modal-nb container exec ID -c 'CODE'")
    from modal_nb.cli import kernel  # noqa: PLC0415 - 0.2 s for Jupyter's client

    asked = link()
    found = container_named(asked, identity).container
    if people:
        raise typer.Exit(kernel.console(found.connection_file, "-c"))
    if not kernel.run_code(found, text, lambda: alive(asked, found.id)):
        raise typer.Exit(1)


@group.command()
def stop(
    identity: Identity,
    *,
    graceful: Annotated[
        bool,
        typer.Option(
            "--graceful/--now",
            help="Let what runs finish, and run exit hooks; or end it at once, inputs run elsewhere.",
        ),
    ] = True,
) -> None:
    """End a container."""
    _stop(identity, kill=not graceful)


@group.command()
def start(pool: Pool) -> None:
    """Start one more container; it ends when it has been idle for the scaledown window."""
    asked = link()
    asked.ask(ms.ContainerAsk(pool=pool_named(asked, pool).pool), ms.Done)


@group.command()
def drain(identity: Identity) -> None:
    """The same as `stop --graceful`."""
    _stop(identity, kill=False)


@group.command()
def kill(identity: Identity) -> None:
    """The same as `stop --now`."""
    _stop(identity, kill=True)


def _stop(identity: str, *, kill: bool) -> None:
    asked = link()
    found = container_named(asked, identity)
    asked.ask(ms.ContainerStop(id=found.container.id, kill=kill), ms.Done)
