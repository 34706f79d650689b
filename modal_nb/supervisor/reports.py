"""What the supervisor tells people: failures of inputs, and the status of everything. Reads state, changes none."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path

from modal_nb import exception
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.protocol.stream import Kind, packet
from modal_nb.scheduler.effects import FailInput, FailureKind
from modal_nb.scheduler.reports import ContainerView
from modal_nb.scheduler.scheduler import Scheduler
from modal_nb.supervisor.modes import modes
from modal_nb.supervisor.records import App, Client, Container, Pool
from modal_nb.supervisor.starting import breakdown, way

_TAIL_LINES = 10
_TAIL_BYTES = 8192
_BROKEN = ("Current thread 0x", "Fatal Python error:")


def answer(client: Client, request: int, content: ms.Content, buffers: Sequence[Frame] = ()) -> None:
    """Answer a request of a client."""
    frames = client.codec.pack(f"{type(content).__name__.lower()}_reply", content.content(), buffers)
    client.link.send(packet(Kind.ANSWER, frames, number=request))


def refuse(client: Client, request: int, error: exception.Error) -> None:
    """Answer a request that cannot be met; the client raises this error."""
    answer(client, request, ms.Refusal(error=type(error).__name__, message=str(error)))


def failure(effect: FailInput, dead: Container | None) -> ms.Failure:
    """The supervisor's word on a failed input; ``dead`` is the container that died last in its pool."""
    cause = effect.cause
    if cause is None and dead is not None and effect.kind is FailureKind.START_FAILED:
        cause = dead.cause
    return ms.Failure(
        kind=effect.kind.value,
        seconds=effect.seconds,
        times=effect.times,
        cause=cause.detail if cause else "",
        cause_kind=cause.kind.value if cause else "",
        code=cause.code if cause else None,
        signal=cause.signal if cause else None,
        peak=cause.peak if cause else 0,
        limit=cause.limit if cause else 0,
        container=dead.id if dead else "",
        log_tail=tail(dead.log) if dead else [],
    )


def tail(log: Path) -> list[str]:
    """The last lines of a container's log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    # of what Python's faulthandler says: the thread that broke, its innermost frames first
    broken = [number for number, line in enumerate(lines) if line.startswith(_BROKEN)]
    return lines[broken[-1] :][:_TAIL_LINES] if broken else lines[-_TAIL_LINES:]


def container_status(container: Container, view: ContainerView, now: float) -> ms.ContainerStatus:
    return ms.ContainerStatus(
        id=container.id,
        state=view.state.value,
        pid=container.process.pid if container.process else 0,
        age=round(now - container.born, 3),
        served=container.served,
        connection_file=str(container.connection_file),
        log=str(container.log),
        cause=container.cause.detail if container.cause else "",
        start=breakdown(container),
        way=way(container),
        aside=None if view.aside_since == inf else round(now - view.aside_since, 3),
        pinned=view.pinned,
    )


def pool_status(
    pool: Pool, scheduler: Scheduler, containers: dict[int, Container], now: float
) -> ms.PoolStatus:
    stats = scheduler.pool_stats(pool.number)
    views = scheduler.containers(pool.number)
    return ms.PoolStatus(
        service=pool.spec.service,
        pool=pool.number,
        queued=stats.backlog,
        running=stats.num_running_inputs,
        autoscaler=pool.autoscaler,
        why=scheduler.why(pool.number),
        containers=[
            container_status(containers[view.number], view, now)
            for view in views
            if view.number in containers
        ],
        modes={"now": round(now, 6), **modes(pool.spec, stats, now)},
    )


def app_status(app: App, pools: list[ms.PoolStatus]) -> ms.AppStatus:
    deployment = app.deployment
    return ms.AppStatus(
        id=app.id,
        name=app.name,
        client_pid=app.owner.pid if app.owner else 0,
        pools=pools,
        environment=deployment.environment if deployment else "",
        version=deployment.version if deployment else 0,
        gone=app.orphaned,
    )
