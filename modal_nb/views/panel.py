"""The live panel: one anywidget per panel. Reports go to it from the pushing thread, commands come back by its comm."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import anywidget
import traitlets
from ipykernel._version import version_info

from modal_nb.client.subject import Subject
from modal_nb.client.subscription import Seen, Subscription
from modal_nb.exception import Error
from modal_nb.protocol.reports import Diff
from modal_nb.views import esm
from modal_nb.views.cells import cells
from modal_nb.views.commands import perform
from modal_nb.views.display import Panel
from modal_nb.views.origins import described
from modal_nb.views.pool_model import PoolModel
from modal_nb.views.pushing import act, pusher

#: seconds between two syncs of the whole state, so that reloads and saved notebooks have it
_WHOLE_EVERY = 5.0
#: seconds after a display: a view that was made in a cell that still runs is told that we live
_GREET_AFTER = 1.5
#: where ipykernel sends the front end's messages of a comm to the thread that published last
_ROUTES_REPLIES = (7, 4)


class LivePanel(anywidget.AnyWidget, Panel):
    """The widget. Made in a cell, it closes when that cell is run again; shown again, it opens again."""

    _esm = esm.module()
    _css = esm.style()
    #: the whole state as ``PoolModel.state`` gives it; differences travel as messages in between
    report = traitlets.Dict().tag(sync=True)

    def __init__(self, about: Subject) -> None:
        Panel.__init__(self, about)
        self._pools = PoolModel()
        self._news: deque[Diff | Seen] = deque()
        #: a view wants the whole state as a message
        self._asked = False
        self._whole_at = 0.0
        #: the time of the newest report, and when it came
        self._newest = (-1.0, 0.0)
        self._subscription: Subscription | None = None
        self._session = about.session
        self._subscribe()
        anywidget.AnyWidget.__init__(self, report=self._pools.state())
        self._keep_routes()
        self.on_msg(self._said)
        cells.own(self)
        pusher.soon(self)

    def close(self) -> None:
        """End it: nothing is pushed any more, its views disappear."""
        if self._subscription is not None:
            self._subscription.close()
            self._subscription = None
        pusher.forget(self)
        super().close()
        # ipywidgets puts None there, and it could not be shown again
        self.__dict__.pop("_repr_mimebundle_", None)

    # -- reports: the reading thread notes them, the pushing thread sends them --------------------------------------

    def _subscribe(self) -> None:
        self._subscription = subscription = self._session.watching.subscribe(self._about, self._tell)
        seen = subscription.seen()
        self._pools.replace(seen.connection, seen.message, seen.reports, described(seen.apps))

    def _tell(self, diff: Diff | None) -> None:
        subscription = self._subscription
        if subscription is None:
            return  # in the middle of ``_subscribe``, which looks at everything itself
        self._news.append(subscription.seen() if diff is None else diff)
        if self.comm is not None:  # else it is being made, and pushed when that is done
            pusher.soon(self)

    def push(self) -> float | None:
        """Send what has gathered; called on the pushing thread. Seconds until the whole state is due."""
        diffs, whole = self._take_in()
        now = time.monotonic()
        asked, self._asked = self._asked, False
        if whole or asked or now >= self._whole_at:
            self._whole_at = now + _WHOLE_EVERY
            with self.hold_sync():
                self.report = self._pools.state(now - self._newest[1])
            if asked:
                self.send({"type": "report", "report": self.report})
            return None
        for diff in diffs:
            self.send({"type": "diff", "diff": diff})
        return self._whole_at - now

    def _take_in(self) -> tuple[list[Diff], bool]:
        """The differences since the last push; whether something came that is none."""
        diffs: list[Diff] = []
        whole = False
        while self._news:
            news = self._news.popleft()
            if isinstance(news, Seen):
                self._pools.replace(news.connection, news.message, news.reports, described(news.apps))
                whole = True
            elif self._pools.apply(news):
                diffs.append(news)
        if self._pools.now != self._newest[0]:
            self._newest = self._pools.now, time.monotonic()
        return diffs, whole

    # -- commands: noted on whatever thread the comm is read, done on a thread of their own ----------------------------

    def _said(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("type") == "hello":
            self._asked = True
            pusher.soon(self)
        elif content.get("type") == "command":
            act(lambda: self._do(content))

    def _do(self, content: dict[str, Any]) -> None:
        error = ""
        try:
            perform(self._session, self._pools, content)
        except Error as refusal:
            error = str(refusal)
        except Exception as failure:  # noqa: BLE001 - the front end waits for an answer, whatever happens
            error = f"{type(failure).__name__}: {failure}"
        self.send({"type": "answer", "id": content.get("id"), "ok": not error, "error": error})

    def _keep_routes(self) -> None:
        """Let JupyterLab's messages come by its own thread, also while a cell blocks.

        From 7.4 on ipykernel sends them to the thread that published last on the comm, which is the main one. Private
        there, so this is only ever a gain in speed.
        """
        if version_info[:2] == _ROUTES_REPLIES and hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None  # noqa: SLF001 - there is no public way

    # -- showing ----------------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> Any:
        if self._subscription is None:
            self._subscribe()
        if self.comm is None:
            self.report = self._pools.state()
            self.open()
            self._keep_routes()
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        self._asked = True
        pusher.soon(self, _GREET_AFTER)
        return {**data, **self._static(repr(self))}, metadata

    def state(self) -> dict[str, Any]:
        """The pools as they are now: ``{"pools": [...], "connection": ..., "message": ..., "apps": [...]}``."""
        return Panel.state(self)

    def __repr__(self) -> str:
        return Panel.__repr__(self)
