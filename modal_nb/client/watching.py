"""Reports of this process's pools, pushed by the supervisor: merged here on the reading thread, told to views.

One subscription of the session serves all views. It asks a supervisor that is there and never starts one; after a
restart of the supervisor it asks the new one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modal_nb.client.link import Link, LinkLost
from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import Diff, Report, applied

if TYPE_CHECKING:
    from modal_nb.client.running import RunningApp
    from modal_nb.client.session import Session
    from modal_nb.client.subject import Subject

log = logging.getLogger("modal_nb.client")

#: told on the reading thread, must be quick: a difference, or None to look at everything anew
Tell = Callable[[Diff | None], None]

CONNECTING, CONNECTED, LOST, ENDED = "connecting", "connected", "lost", "ended"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a subscription sees in one moment."""

    #: "connecting", "connected", "lost" (another supervisor is on its way) or "ended"
    connection: str
    #: one sentence for people, "" if there is nothing to say
    message: str
    #: the reports of its pools by number, oldest pool first
    reports: dict[int, Report] = field(default_factory=dict)


class Subscription:
    """One view's wish; made by ``Watching.subscribe``, ended by ``close``."""

    def __init__(self, watching: Watching, subject: Subject, tell: Tell) -> None:
        self._watching = watching
        self.subject = subject
        self.tell = tell
        #: runs of its app that are or were, as far as they still show
        self.runs: list[RunningApp] = []

    def look(self) -> None:
        """Note what runs now; runs that have ended stay while nothing has come in their place."""
        now = self.subject.runs()
        if now:
            self.runs = [run for run in self.runs if run not in now and not run.stopped] + now

    def covers(self, report: Report) -> bool:
        return any(run.id == report["app"]["id"] for run in self.runs) and self.subject.covers(report)

    def seen(self) -> Seen:
        """How things are as far as reports have come."""
        return self._watching.seen(self)

    def close(self) -> None:
        """Tell nothing any more."""
        self._watching.unsubscribe(self)


class Watching:
    """All subscriptions of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: guards all fields below; never held while the supervisor is asked
        self._lock = threading.Lock()
        #: one request at a time
        self._asking = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._reports: dict[int, Report] = {}
        #: apps that the supervisor was asked for, and the link by which
        self._asked: set[int] = set()
        self._link: Link | None = None
        self._down: tuple[str, str] | None = None

    # -- views --------------------------------------------------------------------------------------------------

    def subscribe(self, subject: Subject, tell: Tell) -> Subscription:
        """``tell`` is called from now on; ``seen()`` is true as of this call, if the supervisor answers."""
        subscription = Subscription(self, subject, tell)
        with self._lock:
            self._subscriptions.append(subscription)
        self.refresh(anew=True)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
        self.refresh()

    def seen(self, subscription: Subscription) -> Seen:
        with self._lock:
            reports = {n: report for n, report in self._reports.items() if subscription.covers(report)}
            connection, message = self._connection(subscription)
        return Seen(connection, message, reports)

    def _connection(self, subscription: Subscription) -> tuple[str, str]:
        if not subscription.runs:
            return CONNECTED, "no container yet: the first call starts one"
        if all(run.stopped for run in subscription.runs):
            return ENDED, "the app has ended"
        if self._down is not None:
            return self._down
        if self._link is None:
            return CONNECTING, ""
        return CONNECTED, ""

    # -- asking -------------------------------------------------------------------------------------------------

    def refresh(self, *, anew: bool = False) -> None:
        """Ask for what the subscriptions want now, if that has changed; also called when pools open and apps end.

        ``anew``: ask in any case; what was reported is then as it is now. Without a supervisor nothing is asked.
        """
        if not self._subscriptions and not self._asked:
            return
        with self._asking:
            link = self._session.linked()
            wanted = self._wanted()
            if link is not None and (anew or wanted != self._asked or link is not self._link):
                self._ask(link, wanted)
        self._tell_all()

    def _wanted(self) -> set[int]:
        with self._lock:
            for subscription in self._subscriptions:
                subscription.look()
            return {run.number for subscription in self._subscriptions for run in subscription.runs}

    def _ask(self, link: Link, wanted: set[int]) -> None:
        try:
            link.on_report = self._report
            link.ask(ms.WatchAsk(apps=sorted(wanted)), ms.Done)
        except LinkLost:
            return  # whoever finds another supervisor calls ``renew``
        except Error as error:
            log.error("reports cannot be had: %s", error)
            return
        with self._lock:
            self._asked, self._link = wanted, link
            if not wanted:
                self._reports.clear()

    # -- on the reading thread ----------------------------------------------------------------------------------

    def _report(self, content: dict[str, Any]) -> None:
        diff: Diff | None = content.get("diff")
        with self._lock:
            if diff is None:
                report: Report = content["report"]
            elif (known := self._reports.get(diff["pool"])) is not None:
                report = applied(known, diff)
            else:
                return
            self._reports[report["pool"]] = report
            if self._forget_older(report):
                diff = None
            told = [one for one in self._subscriptions if one.covers(report)]
        for one in told:
            _tell(one, diff)

    def _forget_older(self, report: Report) -> bool:
        """Of pools that are gone only the newest is shown, and none beside a newer one of the same name."""
        same = [number for number, other in self._reports.items() if _name(other) == _name(report)]
        gone = [number for number in sorted(same)[:-1] if self._reports[number]["state"] == "gone"]
        for number in gone:
            del self._reports[number]
        return bool(gone)

    def lost(self) -> None:
        """The supervisor is gone; another one is being started."""
        self._set_down((LOST, "the supervisor is gone; another one is being started"))

    def renew(self, link: Link) -> None:
        """There is another supervisor, and it knows the apps: ask it. Pools have other numbers there."""
        with self._lock:
            self._reports.clear()
            self._down, self._link = None, None
        if self._subscriptions:
            with self._asking:
                self._ask(link, self._wanted())
        self._tell_all()

    def ended(self, why: str) -> None:
        """There is no supervisor and will be none."""
        self._set_down((ENDED, why))

    def _set_down(self, down: tuple[str, str]) -> None:
        with self._lock:
            self._down = down
            self._link = None
        self._tell_all()

    def _tell_all(self) -> None:
        with self._lock:
            told = list(self._subscriptions)
        for one in told:
            _tell(one, None)


def _tell(subscription: Subscription, diff: Diff | None) -> None:
    try:
        subscription.tell(diff)
    except Exception:
        log.exception("a view failed")  # the reading thread must go on


def _name(report: Report) -> tuple[str, ...]:
    return report["app"]["id"], report["service"], report["parameters"], report["variant"]
