"""How things of modal_nb show themselves: the live panel where there is a front end for it, else a table or a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modal_nb.client import conditions
from modal_nb.client.cards import Card
from modal_nb.client.conditions import Condition
from modal_nb.client.dual import dual
from modal_nb.client.subject import Subject
from modal_nb.views import cards, render
from modal_nb.views.cells import in_kernel
from modal_nb.views.origins import described
from modal_nb.views.pool_model import PoolModel

Bundle = dict[str, Any]


class Panel:
    """What ``panel()`` of an app, a class or an object gives: it shows itself, and waits for states.

    This one is a table of the moment in which it is shown. With the extra ``modal_nb[widgets]`` and in a
    Jupyter kernel it is a live widget instead.
    """

    def __init__(self, about: Subject) -> None:
        self._about = about

    @dual
    def wait_for(
        self,
        *,
        containers: int | None = None,
        state: str | None = None,
        queued: int | None = None,
        running: int | None = None,
        timeout: float | None = 30.0,
    ) -> None:
        """Wait until the pools shown here are in such a state together, and return.

        ``containers``: how many live, or with ``state`` are "starting", "entering", "idle", "busy",
        "draining" or "dead"; ``queued`` and ``running``: inputs. Python's TimeoutError after ``timeout``
        seconds (None: never) says what is there instead. ``await panel.wait_for.aio(...)`` does the same.
        """
        wanted = Condition.declared(containers=containers, state=state, queued=queued, running=running)
        conditions.wait(self._about, wanted, timeout)

    @wait_for.awaited
    async def _wait_for(self, *, timeout: float | None = 30.0, **wanted: Any) -> None:  # noqa: ASYNC109 - ours
        await conditions.wait_async(self._about, Condition.declared(**wanted), timeout)

    def state(self) -> dict[str, Any]:
        """The pools as they are now: ``{"pools": [...], "connection": ..., "message": ..., "apps": [...]}``.

        ``apps`` says whose the pools are where that is not plain: of deployed apps, and of everything.
        """
        subscription = self._about.session.watching.subscribe(self._about, lambda _: None)
        try:
            seen = subscription.seen()
        finally:
            subscription.close()
        model = PoolModel()
        model.replace(seen.connection, seen.message, seen.reports, described(seen.apps))
        return model.state()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        return self._static(repr(self))

    def _static(self, text: str) -> Bundle:
        return {"text/plain": text, "text/html": render.page(self._about.title, self.state())}

    def __repr__(self) -> str:
        return render.text(self._about.title)


def panel(about: Subject) -> Panel:
    """A live one where that can be, else a plain one."""
    if in_kernel():
        try:
            from modal_nb.views.panel import LivePanel  # noqa: PLC0415 - an optional extra
        except ImportError:
            return Panel(about)
        return LivePanel(about)
    return Panel(about)


def card(made: Callable[[], Card], text: str) -> Any:
    """What ``display`` of a thing without containers of its own shows; ``text`` is its line. Starts nothing."""
    if not in_kernel():
        return {}
    return {"text/html": cards.page(made()), "text/plain": render.plain(text)}


def mimebundle(about: Subject, text: str) -> Any:
    """What ``display`` of an app, a class or an object shows; ``text`` is its line. Starts nothing."""
    if not in_kernel():
        return {}
    found = panel(about)._repr_mimebundle_()
    data, metadata = found if isinstance(found, tuple) else (found, {})
    return {**data, "text/plain": render.plain(text)}, metadata
