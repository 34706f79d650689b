"""``modal-nb``: what runs on this machine, and how to end it."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from modal_nb.client import launcher, session
from modal_nb.client.facts import facts
from modal_nb.client.link import Link, LinkLost
from modal_nb.exception import Error, NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.connection import Places, places
from modal_nb.spec.scaling import autoscaler_changes
from modal_nb.version import __version__

app = typer.Typer(
    help="Modal's Cls on your own machines: see and steer what runs here.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
supervisor = typer.Typer(help="The process that schedules; it starts by itself when a notebook needs it.")
container = typer.Typer(help="Single containers: start one more, let one finish and end, end one now.")
app.add_typer(container, name="container", no_args_is_help=True)
app.add_typer(supervisor, name="supervisor", no_args_is_help=True)

#: columns where nobody looks: a pipe takes lines as long as they are
_PIPE_WIDTH = 250

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]


@app.command()
def status(*, json: Json = False) -> None:
    """Show the apps, pools and containers that run here, and why something waits."""
    link = _running_link()
    if link is None:
        typer.echo(
            '{"running": false}' if json else "No supervisor runs here; one starts with the first call."
        )
        return
    found, _ = link.ask(ms.StatusAsk(), ms.Status)
    if json:
        typer.echo(msgspec.json.encode({"running": True, **found.content()}))
    else:
        _show(found)


@app.command()
def stop() -> None:
    """End the supervisor and everything that it runs: inputs that run may finish, exit hooks run."""
    link = _running_link()
    if link is None:
        typer.echo("No supervisor runs here.")
        return
    link.ask(ms.SupervisorStop(), ms.Done)
    link.wait_closed()
    typer.echo("Stopped.")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


Pool = Annotated[str, typer.Argument(help="The class, or the number of its pool.")]
Identity = Annotated[str, typer.Argument(help="The container, as `modal-nb status` names it.")]
Setting = Annotated[int | None, typer.Option(help="Left out: as it is.")]


@app.command()
def scale(
    pool: Pool,
    *,
    min_containers: Setting = None,
    max_containers: Setting = None,
    buffer_containers: Setting = None,
    scaledown_window: Setting = None,
) -> None:
    """Change the autoscaler of a pool, also while a cell of its notebook runs."""
    changes = autoscaler_changes(
        min_containers=min_containers,
        max_containers=max_containers,
        buffer_containers=buffer_containers,
        scaledown_window=scaledown_window,
    )
    link, found = _link(), _pool(pool)
    link.ask(ms.AutoscalerUpdate(pool=found.pool, **changes), ms.AutoscalerSettings)
    _show_pool(Console(), _pool(str(found.pool)))


@container.command("start")
def container_start(pool: Pool) -> None:
    """Start one more container; it ends when it has been idle for the scaledown window."""
    _link().ask(ms.ContainerAsk(pool=_pool(pool).pool), ms.Done)


@container.command()
def drain(identity: Identity) -> None:
    """Let a container finish what it runs, and end it."""
    _link().ask(ms.ContainerStop(id=identity), ms.Done)


@container.command()
def kill(identity: Identity) -> None:
    """End a container now; what it runs is run again elsewhere."""
    _link().ask(ms.ContainerStop(id=identity, kill=True), ms.Done)


def _link() -> Link:
    link = _running_link()
    if link is None:
        raise NotFoundError("no supervisor runs here")
    return link


def _pool(name: str) -> ms.PoolStatus:
    """The one pool that is meant. Raises NotFoundError."""
    found, _ = _link().ask(ms.StatusAsk(), ms.Status)
    pools = [pool for one in found.apps for pool in one.pools]
    meant = [pool for pool in pools if name in {pool.service, str(pool.pool)}]
    if len(meant) == 1:
        return meant[0]
    there = ", ".join(f"{pool.pool} ({pool.service})" for pool in meant or pools) or "none"
    raise NotFoundError(f"{'several pools' if meant else 'no pool'} of {name!r}; by number: {there}")


@supervisor.command()
def start() -> None:
    """Start the supervisor, if none runs, and say where it is."""
    found = session.current().ask(ms.StatusAsk(), ms.Status)
    typer.echo(f"The supervisor runs: pid {found.pid}, home {found.home}")


def _running_link() -> Link | None:
    """A connection to the supervisor if one runs; this command never starts one."""
    where: Places = places()
    connection = launcher.find(where)
    if connection is None:
        return None
    try:
        hello = ms.Hello(role="client", pid=os.getpid(), version=__version__)
        return Link(connection.socket, bytes.fromhex(connection.key), hello, lambda _: None, lambda _: None)
    except (OSError, LinkLost):
        return None


def _show(found: ms.Status) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    machine = found.machine
    console.print(
        f"supervisor pid {found.pid}, modal_nb {found.version}, up {found.uptime:.0f} s, home {found.home}",
        f"{found.containers} of {machine.containers} containers; {found.clients - 1} other clients; "
        f"{found.refused} messages refused",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )
    for one in found.apps:
        console.print(f"\n[bold]{one.name}[/bold] {one.id}, of process {one.client_pid}", highlight=False)
        for pool in one.pools:
            _show_pool(console, pool)


def _show_pool(console: Console, pool: ms.PoolStatus) -> None:
    settings = pool.autoscaler
    most = "no limit" if settings.max_containers is None else settings.max_containers
    console.print(
        f"  {pool.service}: {pool.queued} queued, {pool.running} running; min {settings.min_containers}, max {most}, "
        f"buffer {settings.buffer_containers}, window {settings.scaledown_window} s; {pool.why}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if pool.modes and (how := facts(pool.modes)):
        console.print(f"    {'; '.join(how)}", highlight=False, markup=False, soft_wrap=True)
    if not pool.containers:
        return
    table = Table("container", "state", "pid", "age s", "inputs", box=None, padding=(0, 2, 0, 2))
    table.add_column("connection file", overflow="fold")  # whole: it is there to be copied
    for container in pool.containers:
        table.add_row(
            container.id,
            container.state,
            str(container.pid),
            f"{container.age:.0f}",
            str(container.served),
            container.connection_file,
        )
    console.print(table, soft_wrap=True)


def main() -> None:
    """The entry point: an error of modal_nb is one sentence and exit code 1."""
    try:
        app()
    except Error as error:
        typer.echo(f"modal-nb: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
