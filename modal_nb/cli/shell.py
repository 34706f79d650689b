"""``modal-nb shell``: a console in a container that was started for it."""

from __future__ import annotations

import inspect
import threading
from typing import Annotated

import typer

from modal_nb.cli import traces
from modal_nb.cli.kernel import check_console, console, run_code
from modal_nb.cli.loading import IsModule, Target, load
from modal_nb.cli.output import commands, doing
from modal_nb.cli.run import REST, Arguments, run_name
from modal_nb.cli.supervision import containers
from modal_nb.cli.target import find_class
from modal_nb.client import session
from modal_nb.client.binding import bind
from modal_nb.client.obj import Obj
from modal_nb.client.pool import Pool
from modal_nb.client.subject import of_obj
from modal_nb.client.subscription import Seen
from modal_nb.exception import StartFailedError
from modal_nb.protocol import messages as ms
from modal_nb.spec.lifecycle import ContainerState

command = commands()

Code = Annotated[str | None, typer.Option("--cmd", "-c", help="Run this Python code instead, and end.")]

#: it may also stand behind what is meant
_CODE = inspect.Parameter("cmd", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=str)


@command.command(context_settings=REST)
def shell(target: Target, arguments: Arguments = None, *, cmd: Code = None, module: IsModule = False) -> None:
    """Start a container of a class, enter hooks and all, and open a Python console in it, where `self` is its object.

    The parameters of the class are flags. The app ends with the console.
    """
    rest = arguments or []
    with traces.of_user_code():
        loaded = load(target, rest, is_module=module)
        found = find_class(loaded)
        usage = f"modal-nb shell {'-m ' if module else ''}{target}"
        values = found.class_flags(_CODE).parse(usage, rest)
        if values is None:
            return
        text = cmd or values.pop(_CODE.name)
        if text is None:
            check_console("--cmd")
        with found.app.run(name=run_name(found.app, loaded)):
            code = _attach(found.instance(values), text)
    raise typer.Exit(code)


def _attach(obj: Obj, code: str | None) -> int:
    """The exit code of the console, or of the code."""
    with doing("Starting a container"):
        container = _bring_up(obj)
    if code is not None:
        pool = bind(obj)
        return 0 if run_code(container, code, lambda: _lives(pool, container)) else 1
    return console(container.connection_file, "--cmd")


def _bring_up(obj: Obj) -> ms.ContainerStatus:
    """A container of this instance that has run its enter hooks, and stays up while nobody calls it.

    StartFailedError if one ends before that.
    """
    pool = bind(obj)
    if pool.update_autoscaler().min_containers < 1:
        pool.update_autoscaler(min_containers=1)
    changed = threading.Event()
    reports = of_obj(obj).session.watching.subscribe(of_obj(obj), lambda _: changed.set())
    try:
        while (ready := _ready(reports.seen())) is None:
            changed.wait()
            changed.clear()
    finally:
        reports.close()
    return next(one for one in _containers(pool) if one.id == ready)


def _ready(seen: Seen) -> str | None:
    for report in seen.reports.values():
        for one in report["containers"]:
            if one["state"] in {ContainerState.IDLE, ContainerState.BUSY}:
                return str(one["id"])
            if one["state"] == ContainerState.DEAD:
                raise StartFailedError(
                    f"the container {one['id']} of {report['service']} did not come up: {one['cause']}; its log: "
                    f"modal-nb container logs {one['id']}"
                )
    return None


def _containers(pool: Pool) -> list[ms.ContainerStatus]:
    found = session.current().ask(ms.StatusAsk(), ms.Status)
    return [one.container for one in containers(found) if one.pool.pool == pool.number]


def _lives(pool: Pool, container: ms.ContainerStatus) -> bool:
    return any(one.id == container.id for one in _containers(pool))
