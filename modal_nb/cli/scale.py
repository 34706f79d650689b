"""``modal-nb scale``: the autoscaler of a pool, changed from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from modal_nb.cli.output import commands
from modal_nb.cli.status import show_pool
from modal_nb.cli.supervision import link, pool_named
from modal_nb.protocol import messages as ms
from modal_nb.spec.scaling import autoscaler_changes

command = commands()

Pool = Annotated[str, typer.Argument(help="The class, or the number of its pool.")]
Setting = Annotated[int | None, typer.Option(help="Left out: as it is.")]


@command.command()
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
    asked = link()
    found = pool_named(asked, pool)
    asked.ask(ms.AutoscalerUpdate(pool=found.pool, follows=False, **changes), ms.AutoscalerSettings)
    show_pool(pool_named(asked, str(found.pool)))
