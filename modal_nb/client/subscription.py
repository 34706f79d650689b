"""One view's wish: which apps and pools it is about, as far as the supervisor and this process know now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import Diff, Report

if TYPE_CHECKING:
    from modal_nb.client.link import Link
    from modal_nb.client.running import RunningApp
    from modal_nb.client.session import Session
    from modal_nb.client.subject import Subject

#: told on the reading thread, must be quick: a difference, or None to look at everything anew
Tell = Callable[[Diff | None], None]
#: an app as ``supervisor/listing`` has it
Listed = dict[str, Any]

CONNECTING, CONNECTED, LOST, ENDED = "connecting", "connected", "lost", "ended"


@dataclass(frozen=True, slots=True)
class Wish:
    """What all subscriptions of a session ask for together."""

    apps: frozenset[int] = frozenset()
    deployed: frozenset[tuple[str, str]] = frozenset()
    everything: bool = False

    def request(self) -> ms.WatchAsk:
        return ms.WatchAsk(
            apps=sorted(self.apps),
            deployed=sorted(self.deployed),
            everything=self.everything,
            listed=self.everything or bool(self.deployed),
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a subscription sees in one moment."""

    #: "connecting", "connected", "lost" (another supervisor is on its way) or "ended"
    connection: str
    #: one sentence for people, "" if there is nothing to say
    message: str
    #: the reports of its pools by number, oldest pool first
    reports: dict[int, Report] = field(default_factory=dict)
    #: the apps that they belong to by name, where that is not plain from the subject
    apps: list[Listed] = field(default_factory=list)


class Subscription:
    """Made by ``Watching.subscribe``, ended by ``close``."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        tell: Tell,
        look: Callable[[Subscription], Seen],
        end: Callable[[Subscription], None],
    ) -> None:
        self._session = session
        self.subject = subject
        self.tell = tell
        self._look, self._end = look, end
        #: runs of its app that are or were, as far as they still show
        self.runs: list[RunningApp] = []
        #: ids of the listed apps that it is about; those that are gone stay while nothing has come in their place
        self._ids: set[str] = set()
        #: the subject as the deployed class has it, once that is known
        self._known = subject
        #: (app, version) that it was learnt from
        self._learnt: tuple[str, int] | None = None

    @property
    def remote(self) -> bool:
        """Whether it is about what other processes may have started: then a supervisor that runs is to be found."""
        return self.subject.everything or bool(self.names())

    def names(self) -> set[tuple[str, str]]:
        """Environment and name of the deployed apps that it is about."""
        deployed = self.subject.deployed
        used = {(run.environment, run.name) for run in self.runs if run.environment}
        return used if deployed is None else {deployed, *used}

    def numbers(self) -> set[int]:
        """The apps of this process that it is about."""
        return {run.number for run in self.runs if not run.environment}

    def look(self) -> None:
        """Note what runs now; runs that have ended stay while nothing has come in their place."""
        now = [run for run in self.subject.runs() if run.session is self._session]
        if now:
            self.runs = [run for run in self.runs if run not in now and not run.stopped] + now

    def settle(self, apps: Iterable[Listed]) -> None:
        """The supervisor lists these apps now."""
        found = {app["id"] for app in self.meant(apps)}
        if found or self.subject.everything:
            self._ids = found

    def meant(self, apps: Iterable[Listed]) -> list[Listed]:
        """Those that it is about, by name."""
        names, own = self.names(), {run.id for run in self.runs}
        found = [
            app
            for app in apps
            if self.subject.everything or app["id"] in own or (app["environment"], app["name"]) in names
        ]
        return sorted(found, key=lambda app: (app["name"], app["environment"], app["id"]))

    def covers(self, report: Report) -> bool:
        app = report["app"]["id"]
        its = app in self._ids or any(run.id == app for run in self.runs)
        return its and self._known.covers(report)

    def learn(self, apps: Iterable[Listed], link: Link) -> bool:
        """Ask, if need be, what the parameters of a looked-up class are called; whether that is new."""
        app = next((app for app in self.meant(apps) if app["version"]), None)
        if app is None or not self.subject.guessed or self._learnt == (app["id"], app["version"]):
            return False
        self._learnt = app["id"], app["version"]
        before, self._known = self._known, self.subject.known(link)
        return self._known != before

    def seen(self) -> Seen:
        """How things are as far as reports have come."""
        return self._look(self)

    def close(self) -> None:
        """Tell nothing any more."""
        self._end(self)
