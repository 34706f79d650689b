"""``modal-nb call``: calls of deployed apps, which the supervisor keeps."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Annotated

import typer

from modal_nb.cli import traces
from modal_nb.cli.output import Json, commands, print_json, print_table
from modal_nb.client import session
from modal_nb.client.function_call import FunctionCall
from modal_nb.protocol import deployment as dp
from modal_nb.protocol.connection import places

group = commands("Calls made by .spawn of deployed apps: list them, get their results, cancel them.")

Identity = Annotated[str, typer.Argument(metavar="ID", help="The function call, fc-...")]


@group.command("list")
def show(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many of the newest.")] = 20,
    json: Json = False,
) -> None:
    """List the newest calls, and how far they are."""
    found: list[dp.StoredCall] = []
    if places().store.exists():
        found = session.current().ask(dp.CallListAsk(limit=limit), dp.CallList).calls
    if json:
        print_json([one.content() for one in found])
        return
    if not found:
        typer.echo("No calls are kept.")
        return
    rows = [
        (
            one.id,
            one.app_name,
            one.function,
            f"{dt.datetime.fromtimestamp(one.created).astimezone():%Y-%m-%d %H:%M:%S}",
            one.inputs,
            one.pending,
            one.succeeded,
            one.failed,
        )
        for one in found
    ]
    columns = ["call", "app", "function", "made", "inputs", "pending", "succeeded", "failed"]
    print_table(columns, rows, whole=["call"])


@group.command()
def get(
    identity: Identity,
    *,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds to wait; default: as long as it takes.")
    ] = None,
    index: Annotated[int, typer.Option(help="Which input, of a call of many.")] = 0,
) -> None:
    """Print the result of a call; what its method raised is a traceback and exit code 1. Ctrl-C ends only the wait."""
    with traces.of_user_code():
        try:
            typer.echo(repr(FunctionCall.from_id(identity).get(timeout, index=index)))
        except TimeoutError as error:
            typer.echo(f"modal-nb: {error}", err=True)
            raise typer.Exit(1) from None


@group.command()
def cancel(
    identity: Identity,
    *,
    terminate_containers: Annotated[
        bool, typer.Option("--terminate-containers", help="Also end the containers that run its inputs.")
    ] = False,
) -> None:
    """End a call: inputs without a result are cancelled."""
    FunctionCall.from_id(identity).cancel(terminate_containers)


@group.command()
def logs(
    identity: Identity,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the call is through.")] = False,
) -> None:
    """Print what the inputs of a call have printed."""
    from modal_nb.client.logs import shown  # noqa: PLC0415 - the list needs nothing of it

    plain = not sys.stdout.isatty()
    for line in FunctionCall.from_id(identity).logs(follow=follow):
        print(line if plain else shown(line), flush=follow)  # noqa: T201 - what was asked for
