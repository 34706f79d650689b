"""``modal-nb container``: single containers."""

from __future__ import annotations

from typing import Annotated

import typer

from modal_nb.cli.output import commands
from modal_nb.cli.supervision import container_named, link, pool_named
from modal_nb.protocol import messages as ms

group = commands("Single containers: start one more, let one finish and end, end one now.")

Pool = Annotated[str, typer.Argument(help="The class, or the number of its pool.")]
Identity = Annotated[str, typer.Argument(help="The container, or the beginning of its id.")]


@group.command()
def start(pool: Pool) -> None:
    """Start one more container; it ends when it has been idle for the scaledown window."""
    asked = link()
    asked.ask(ms.ContainerAsk(pool=pool_named(asked, pool).pool), ms.Done)


@group.command()
def drain(identity: Identity) -> None:
    """Let a container finish what it runs, and end it; the same as `stop --graceful`."""
    _stop(identity, kill=False)


@group.command()
def kill(identity: Identity) -> None:
    """End a container now; what it runs is run again elsewhere. The same as `stop --now`."""
    _stop(identity, kill=True)


def _stop(identity: str, *, kill: bool) -> None:
    asked = link()
    found = container_named(asked, identity)
    asked.ask(ms.ContainerStop(id=found.container.id, kill=kill), ms.Done)
