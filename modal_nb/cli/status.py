"""``modal-nb status``, ``stop``, ``supervisor`` and ``version``: what runs on this machine, and how to end it."""

from __future__ import annotations

import typer
from rich.text import Text

from modal_nb.cli.output import Json, commands, console, doing, print_json, print_table
from modal_nb.cli.supervision import running_link
from modal_nb.cli.supervision import status as status_of
from modal_nb.client import session
from modal_nb.client.facts import facts, looked_into
from modal_nb.protocol import messages as ms
from modal_nb.protocol.deployment import MAIN
from modal_nb.version import __version__

status = commands()
stop = commands()
version = commands()
supervisor = commands("The process that schedules; it starts by itself when a notebook needs it.")


@status.command()
def show(*, json: Json = False) -> None:
    """Show the apps, pools and containers that run here, and why something waits."""
    link = running_link()
    if link is None:
        typer.echo(
            '{"running": false}' if json else "No supervisor runs here; one starts with the first call."
        )
        return
    found = status_of(link)
    if json:
        print_json({"running": True, **found.content()})
    else:
        _show(found)


@stop.command()
def end() -> None:
    """End the supervisor and everything that it runs: inputs that run may finish, exit hooks run."""
    link = running_link()
    if link is None:
        typer.echo("No supervisor runs here.")
        return
    with doing("Ending what runs"):
        link.ask(ms.SupervisorStop(), ms.Done)
        link.wait_closed()
    typer.echo("Stopped.")


@version.command()
def tell() -> None:
    """Print the version."""
    typer.echo(__version__)


@supervisor.callback()
def _group() -> None:
    """Without it, Typer would take the one command for the group."""


@supervisor.command()
def start() -> None:
    """Start the supervisor, if none runs, and say where it is."""
    with doing("Starting the supervisor"):
        found = session.current().ask(ms.StatusAsk(), ms.Status)
    typer.echo(f"The supervisor runs: pid {found.pid}, home {found.home}")


def _show(found: ms.Status) -> None:
    out = console()
    machine = found.machine
    out.print(
        f"supervisor pid {found.pid}, modal_nb {found.version}, up {found.uptime:.0f} s, home {found.home}",
        f"{found.containers} of {machine.containers} containers; {found.clients - 1} other clients; "
        f"{found.refused} messages refused",
        sep="\n",
        markup=False,
    )
    for one in found.apps:
        out.print(
            "\n",
            Text(one.name, style="bold"),
            f" {one.id}, {whose(one)}",
            sep="",
            markup=False,
        )
        for pool in one.pools:
            show_pool(pool)


def whose(app: ms.AppStatus) -> str:
    """Where it comes from, for people."""
    if app.gone:
        return f"of a notebook that is gone (process {app.client_pid})"
    if app.client_pid:
        return f"of process {app.client_pid}"
    where = "" if app.environment == MAIN else f" in {app.environment}"
    return f"deployed{where}, version {app.version}"


def state_of(container: ms.ContainerStatus) -> str:
    """Its state, and whether somebody looks into it."""
    since = "" if container.aside is None else f" for {container.aside:.0f} s"
    looked = looked_into({"aside": container.aside, "pinned": container.pinned}, since)
    return f"{container.state}, {looked}" if looked else container.state


def show_pool(pool: ms.PoolStatus) -> None:
    """A pool's numbers, its settings and its containers."""
    settings = pool.autoscaler
    most = "no limit" if settings.max_containers is None else settings.max_containers
    out = console()
    out.print(
        f"  {pool.service}: {pool.queued} queued, {pool.running} running; min {settings.min_containers}, max {most}, "
        f"buffer {settings.buffer_containers}, window {settings.scaledown_window} s; {pool.why}",
        markup=False,
    )
    if pool.modes and (how := facts(pool.modes)):
        out.print(f"    {'; '.join(how)}", markup=False)
    if not pool.containers:
        return
    print_table(
        ["container", "state", "pid", "age s", "inputs", "connection file"],
        [
            (one.id, state_of(one), one.pid, f"{one.age:.0f}", one.served, one.connection_file)
            for one in pool.containers
        ],
        whole=["connection file"],
        indent=4,
    )
