"""Apps of notebooks whose kernel went: left without an owner, and taken over by the kernel that comes back.

A notebook is a path, as Jupyter tells it to the kernel. Two kernels that live never share an app: what is taken over is
what nobody is connected to, and whose process has ended.
"""

from __future__ import annotations

import logging

import psutil

from modal_nb.protocol.opening import AppOpen
from modal_nb.scheduler import events as ev
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client

log = logging.getLogger("modal_nb.supervisor")


class Lingering:
    """Decides what lingers and who may have it; the scheduler decides what that means for containers."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def leave(self, client: Client) -> None:
        """The client is lost: those of its apps that have something warm to keep stay. Called before ClientLost."""
        left = [app for app in self._reactor.apps.values() if app.owner is client and app.linger > 0]
        warm = {container.pool.app for container in self._reactor.fleet.containers.values()} if left else ()
        for app in left:
            if app in warm:
                app.orphaned = True
                for pool in self._reactor.pools.values():
                    if pool.app is app:
                        pool.autoscaler = pool.spec.autoscaler
                log.info("app lingers id=%s seconds=%g", app.id, app.linger)
                self._reactor.feed(ev.AppOrphaned(app.number, app.linger))
                self._reactor.on_apps()

    def take(self, client: Client, asked: AppOpen) -> App | None:
        """The app that this notebook left, if one lingers; the one that was opened last."""
        if not (asked.adopts and asked.notebook and asked.linger):
            return None
        for app in sorted(self._reactor.apps.values(), key=lambda app: -app.number):
            if (app.notebook, app.name) != (asked.notebook, asked.name) or app.owner is None:
                continue
            if _runs(app.owner.pid):
                continue
            app.owner.link.close()  # its end may not have been seen yet
            if app.orphaned and self._reactor.apps.get(app.number) is app:
                app.owner, app.linger, app.orphaned = client, asked.linger, False
                log.info("app taken over id=%s client=%d", app.id, client.number)
                self._reactor.feed(ev.AppAdopted(app.number, client.number))
                return app
        return None

    def end(self, app: App) -> None:
        """Its client was only cut off: a connection of the same process is there."""
        if app.orphaned:
            self._reactor.feed(ev.AppStopped(app.number, kill=True))


def _runs(pid: int) -> bool:
    """The process has not ended; a zombie has."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
