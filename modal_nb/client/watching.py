"""Reports of pools, pushed by the supervisor: merged here on the reading thread, told to views.

One subscription of the session serves all views. It asks a supervisor that is there and never starts one; after a
restart of the supervisor it asks the new one.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from modal_nb.client.link import Link, LinkLost
from modal_nb.client.lookout import Lookout
from modal_nb.client.subscription import (
    CONNECTED,
    CONNECTING,
    ENDED,
    LOST,
    Listed,
    Seen,
    Subscription,
    Tell,
    Wish,
)
from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import Diff, Report, applied

if TYPE_CHECKING:
    from modal_nb.client.session import Session
    from modal_nb.client.subject import Subject

log = logging.getLogger("modal_nb.client")


class Watching:
    """All subscriptions of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: guards all fields below; never held while the supervisor is asked
        self._lock = threading.Lock()
        #: one request at a time; never held while a connection is made, which asks, too
        self._asking = threading.Lock()
        #: who subscribes waits for what the lookout asks already
        self._learning = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._reports: dict[int, Report] = {}
        #: the apps that the supervisor lists
        self._apps: list[Listed] = []
        #: what the supervisor was asked for, and the link by which
        self._asked = Wish()
        self._link: Link | None = None
        self._down: tuple[str, str] | None = None
        #: why there is no connection to a supervisor that somebody else may have started
        self._absent = ""
        self._lookout = Lookout(self._look_out)

    # -- views --------------------------------------------------------------------------------------------------

    def subscribe(self, subject: Subject, tell: Tell) -> Subscription:
        """``tell`` is called from now on; ``seen()`` is true as of this call, if the supervisor answers."""
        subscription = Subscription(self._session, subject, tell, self.seen, self.unsubscribe)
        subscription.look()
        if subscription.remote:
            self._join()
        with self._lock:
            self._subscriptions.append(subscription)
        self.refresh(anew=True)
        if subscription.remote:
            self._learn()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self._reports.clear()
        self.refresh()

    def seen(self, subscription: Subscription) -> Seen:
        with self._lock:
            reports = {n: report for n, report in self._reports.items() if subscription.covers(report)}
            apps = subscription.meant(self._apps)
            connection, message = self._connection(subscription, apps)
        return Seen(connection, message, reports, subscription.subject.headings(apps))

    def _connection(self, subscription: Subscription, apps: list[Listed]) -> tuple[str, str]:
        """How the connection is, and one sentence for people."""
        runs, subject = subscription.runs, subscription.subject
        if not runs and not subscription.remote:
            return CONNECTED, subject.absent
        if runs and not apps and all(run.stopped for run in runs):
            return ENDED, "the app has ended"
        if self._down is not None and (runs or self._reports):
            return self._down
        if self._link is None and subscription.numbers():
            return CONNECTING, ""
        if self._link is None:
            return CONNECTED, subject.absent if subject.app else self._absent
        return CONNECTED, "" if subscription.numbers() else subject.lack(apps)

    # -- asking -------------------------------------------------------------------------------------------------

    def refresh(self, *, anew: bool = False) -> None:
        """Ask for what the subscriptions want now, if that has changed; also called when pools open and apps end.

        ``anew``: ask in any case; what was reported is then as it is now. Without a supervisor nothing is asked.
        """
        if not self._subscriptions and self._asked == Wish():
            self._lookout.want(wanted=False)
            return
        with self._asking:
            link = self._session.linked()
            wanted = self._wanted()
            if link is not None and (anew or wanted != self._asked or link is not self._link):
                self._ask(link, wanted)
        self._lookout.want(wanted=self._remote())
        self._tell_all()

    def _wanted(self) -> Wish:
        with self._lock:
            for subscription in self._subscriptions:
                subscription.look()
                subscription.settle(self._apps)
            return Wish(
                frozenset(number for one in self._subscriptions for number in one.numbers()),
                frozenset(name for one in self._subscriptions for name in one.names()),
                any(one.subject.everything for one in self._subscriptions),
            )

    def _ask(self, link: Link, wanted: Wish) -> None:
        with self._lock:
            if link is not self._link:  # numbers and ids of another supervisor
                self._reports.clear()
                self._apps = []
        try:
            link.on_report = self._told
            link.ask(wanted.request(), ms.Done)
        except LinkLost:
            return  # whoever finds another supervisor calls ``renew``
        except Error as error:
            log.error("reports cannot be had: %s", error)
            return
        with self._lock:
            self._asked, self._link, self._down = wanted, link, None
            if wanted == Wish():
                self._reports.clear()
            if not (wanted.deployed or wanted.everything):
                self._apps = []

    # -- supervisors and apps of others -----------------------------------------------------------------------------

    def _remote(self) -> bool:
        with self._lock:
            return any(one.remote for one in self._subscriptions)

    def _join(self) -> bool:
        """Find a supervisor that runs, if there is no connection. Never called with a lock held."""
        if self._session.linked() is not None:
            return True
        try:
            self._session.link(start=False)
        except (Error, OSError) as error:
            self._absent = str(error)
            return False
        return True

    def _look_out(self) -> bool:
        """On the thread of the lookout. Whether to look again soon."""
        if not self._remote():
            return False
        if self._session.linked() is None or self._session.linked() is not self._link:
            before = self._absent
            if not self._join():
                if self._absent != before:
                    self._tell_all()
                return True
            self.refresh(anew=True)
        self._learn()
        return self._session.linked() is None

    def _learn(self) -> None:
        """Labels of looked-up classes, anew with each version; asks."""
        with self._learning:
            link = self._session.linked()
            with self._lock:
                subscriptions, apps = list(self._subscriptions), self._apps
            for one in subscriptions:
                if link is not None and one.learn(apps, link):
                    _tell(one, None)

    # -- on the reading thread ----------------------------------------------------------------------------------

    def _told(self, content: dict[str, Any]) -> None:
        """A REPORT packet."""
        if "apps" in content:
            self._list(content["apps"])
        else:
            self._report(content)

    def _list(self, apps: list[Listed]) -> None:
        with self._lock:
            self._apps = apps
            for one in self._subscriptions:
                one.settle(apps)
            ids = {app["id"] for app in apps}
            self._reports = {
                number: report
                for number, report in self._reports.items()
                if report["app"]["id"] in ids or any(one.covers(report) for one in self._subscriptions)
            }
        self._lookout.wake()
        self._tell_all()

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

    def away(self) -> None:
        """The supervisor is gone, and nothing of this process needs another one."""
        self._set_down((LOST, "the supervisor has ended; the next call starts another one"))

    def renew(self, link: Link) -> None:
        """There is another supervisor, and it knows the apps: ask it. Pools have other numbers there."""
        with self._lock:
            self._reports.clear()
            self._apps = []
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
        self._lookout.wake()
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
