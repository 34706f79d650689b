"""Logs of containers on the command line: of one that is named, and of all of an app while it runs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from modal_nb.cli.supervision import containers, link, running_link, whole_id
from modal_nb.cli.supervision import status as status_of
from modal_nb.client import logs, session
from modal_nb.client.app import App
from modal_nb.client.link import LinkLost
from modal_nb.client.subject import of_app
from modal_nb.exception import NotFoundError
from modal_nb.protocol.connection import places

#: seconds between two looks for a log that is not there yet
_PAUSE = 0.05
#: seconds for what containers that have ended have printed last
_PATIENCE = 5.0
#: seconds between two looks for new containers of an app
_LOOK_EVERY = 0.5


def show(identity: str, *, tail: int | None, follow: bool) -> None:
    """Print it, the last ``tail`` lines of it, or also what comes. NotFoundError if no log is kept of it."""
    asked = running_link()
    known = {path.stem for path in places().logs.glob("ct-*.log")}
    if asked is not None:
        known |= {one.container.id for one in containers(status_of(asked))}
    name = whole_id(identity, known)
    log = logs.find(name)
    if follow:
        lines = logs.follow(name, tail)
    elif tail is not None:
        lines = iter(logs.tail(log, tail))
    else:
        lines = logs.read(log)
    plain = not sys.stdout.isatty()
    for line in lines:
        print(line if plain else logs.shown(line), flush=follow)  # noqa: T201 - what was asked for


def show_app(name: str, *, tail: int | None, follow: bool) -> None:
    """What the living containers of an app have printed, each line behind its container; NotFoundError if none runs.

    ``follow``: until Ctrl-C, with containers to come.
    """
    asked, lock = link(), threading.Lock()
    followed: set[str] = set()

    def living() -> list[str]:
        found = status_of(asked)
        if not any(app.name == name for app in found.apps):
            raise NotFoundError(f"no app {name!r} runs here")
        return [one.container.id for one in containers(found) if one.app.name == name]

    def print_lines(container: str, lines: Iterable[str]) -> None:
        plain = not sys.stdout.isatty()
        for line in lines:
            with lock:
                print(f"{container}  {line if plain else logs.shown(line)}", flush=follow)  # noqa: T201 - asked for

    while True:
        for container in living():
            if container in followed:
                continue
            followed.add(container)
            with suppress(NotFoundError):  # it has no log yet
                log = logs.find(container)
                if follow:
                    lines = logs.follow(container, tail)
                    threading.Thread(target=print_lines, args=(container, lines), daemon=True).start()
                else:
                    print_lines(container, logs.read(log) if tail is None else logs.tail(log, tail))
        if not follow:
            return
        time.sleep(_LOOK_EVERY)


class Printing:
    """What the containers of an app print comes on stderr, as it comes. Made when the app runs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._changed = threading.Event()
        self._over = False
        self._lock = threading.Lock()
        #: container -> the thread that follows its log
        self._followers: dict[str, threading.Thread] = {}
        self._reports = session.current().watching.subscribe(of_app(app), lambda _: self._changed.set())
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def look(self) -> None:
        """Called before the app ends: what lives now may not have been reported yet."""
        linked, running = session.current().linked(), self._app.running()
        if linked is None or running is None:
            return
        with suppress(LinkLost):
            for one in containers(status_of(linked)):
                if one.app.id == running.id:
                    self._follow(one.container.id)

    def end(self) -> None:
        """Called when the app has ended; returns when all is printed."""
        self._over = True
        self._changed.set()
        self._watcher.join(_PATIENCE)
        self._reports.close()
        limit = time.monotonic() + _PATIENCE
        for follower in self._followers.values():
            follower.join(max(0.0, limit - time.monotonic()))

    def _watch(self) -> None:
        while True:
            over = self._over
            self._changed.clear()
            for report in self._reports.seen().reports.values():
                for container in report["containers"]:
                    self._follow(container["id"])
            if over:
                return
            self._changed.wait()

    def _follow(self, container: str) -> None:
        with self._lock:
            if container in self._followers:
                return
            thread = threading.Thread(target=_print_all, args=(container,), daemon=True)
            self._followers[container] = thread
            thread.start()


def _print_all(container: str) -> None:
    terminal = sys.stderr.isatty()
    while True:
        try:
            for line in logs.follow(container):
                sys.stderr.write((logs.shown(line) if terminal else line) + "\n")
                sys.stderr.flush()
        except NotFoundError:  # its process is being made
            if logs.lives(places(), container):
                time.sleep(_PAUSE)
                continue
        return
