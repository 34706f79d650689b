"""What clients ask for, one method per request: turned into events, answered with a record.

A request that cannot be met is answered with a Refusal that names the exception class the client raises.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
from collections.abc import Callable
from typing import Any

import msgspec

from modal_nb import exception
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Codec, Message
from modal_nb.protocol.opening import AppOpen, AppOpened
from modal_nb.protocol.requests import REQUESTS
from modal_nb.scheduler import events as ev
from modal_nb.spec import ids
from modal_nb.spec.scaling import Autoscaler
from modal_nb.supervisor import nested, reports
from modal_nb.supervisor.durable import Durable
from modal_nb.supervisor.insight import Insight
from modal_nb.supervisor.lingering import Lingering
from modal_nb.supervisor.opening import open_pool
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import App, Client, Pool
from modal_nb.supervisor.settings import Settings
from modal_nb.supervisor.watch import Watch

log = logging.getLogger("modal_nb.supervisor")


#: options that every back end keeps because the supervisor or the caller sees to them
KEPT_HERE = frozenset(
    {"secrets", "single_use_containers", "experimental_options", "retries", "concurrent", "batched"}
)


class Handlers:
    """Answers the requests of clients."""

    def __init__(
        self,
        settings: Settings,
        reactor: Reactor,
        epoch: str,
        honoured: frozenset[str],
        watch: Watch,
        now: Callable[[], float],
        end: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._epoch = epoch
        self._honoured = honoured | KEPT_HERE
        self._watch = watch
        self._now = now
        self._end = end
        self._born = now()
        self.clients: dict[int, Client] = {}
        self.lingering = Lingering(reactor)
        self.durable = Durable(
            settings, reactor, epoch, self._check_options, loop, lambda: list(self.clients.values())
        )
        self._handlers: dict[type[ms.Content], Callable[[Client, int, Message, Any], ms.Content | None]] = {
            AppOpen: self._app_open,
            ms.AppStop: self._app_stop,
            ms.PoolOpen: self._pool_open,
            ms.ClassDeclare: self._class_declare,
            ms.ClassAsk: self._class_ask,
            ms.AppInside: self._app_inside,
            ms.AutoscalerUpdate: self._autoscaler_update,
            ms.PoolAsk: self._pool_stats,
            ms.ContainerStop: self._container_stop,
            ms.ContainerAsk: self._container_ask,
            ms.WatchAsk: self._watch_ask,
            ms.StatusAsk: self._status,
            ms.SupervisorStop: self._supervisor_stop,
            **Insight(reactor, now).handlers,
        }

    def answer(self, client: Client, request: int, message: Message) -> ms.Content | None:
        """The answer to one request; None when it comes later."""
        try:
            record = REQUESTS[message.msg_type]
            asked = msgspec.convert(message.content, record)
            if self.durable.handles(record):
                self.durable.answer(client, request, message, asked)
                return None
            return self._handlers[record](client, request, message, asked)
        except KeyError:
            return ms.Refusal(error="InvalidError", message=f"there is no request {message.msg_type!r}")
        except (msgspec.ValidationError, ValueError, IndexError) as error:
            return ms.Refusal(error="InvalidError", message=f"{message.msg_type}: {error}")
        except exception.Error as error:
            return ms.Refusal(error=type(error).__name__, message=str(error))
        except Exception as error:
            log.exception("request failed msg_type=%s", message.msg_type)
            return ms.Refusal(error="InternalFailure", message=f"{message.msg_type}: {error!r}")

    def lost(self, client: Client) -> None:
        """The connection of a client ended."""
        log.info("client lost number=%d pid=%d", client.number, client.pid)
        self.clients.pop(client.number, None)
        self._watch.lost(client)
        self.durable.lost(client)
        self.lingering.leave(client)
        self._reactor.feed(ev.ClientLost(client.number))
        self._reactor.on_quiet()

    # -- apps and pools -----------------------------------------------------------------------------------------

    def _app_open(self, client: Client, request: int, message: Message, asked: AppOpen) -> AppOpened:
        app = self.lingering.take(client, asked) or self._new_app(client, asked)
        self._reactor.on_apps()
        return AppOpened(app=app.number, id=app.id, key=app.codec.key.hex())

    def _new_app(self, client: Client, asked: AppOpen) -> App:
        number = self._reactor.scheduler.next_number()
        identity = f"{ids.render(ids.Kind.APP, number)}-{self._epoch}"
        key = bytes.fromhex(asked.key)
        app = self._reactor.apps[number] = App(number, identity, asked.name, client, Codec(key, identity))
        app.notebook, app.linger = asked.notebook, asked.linger if asked.notebook else 0.0
        self._reactor.feed(ev.AppOpened(number, asked.name, client.number))
        log.info("app opened id=%s name=%s client=%d", identity, asked.name, client.number)
        return app

    def _app_stop(self, client: Client, request: int, message: Message, asked: ms.AppStop) -> None:
        app = self._own_app(client, asked.app)
        app.waiting.append((client, request))
        self._reactor.feed(ev.AppStopped(app.number))

    def _class_declare(
        self, client: Client, request: int, message: Message, asked: ms.ClassDeclare
    ) -> ms.Done:
        nested.declare(client, self._own_app(client, asked.app), asked, message.buffers[0])
        return ms.Done()

    def _class_ask(self, client: Client, request: int, message: Message, asked: ms.ClassAsk) -> None:
        app, found = nested.find(client, self._reactor.apps, asked)
        content = ms.ClassFound(
            app=app.number,
            app_id=app.id,
            app_name=app.name,
            key=app.codec.key.hex(),
            deployed=app.owner is None,
        )
        reports.answer(client, request, content, [found.data])

    def _app_inside(self, client: Client, request: int, message: Message, asked: ms.AppInside) -> ms.Inside:
        return nested.inside(client)

    def _pool_open(self, client: Client, request: int, message: Message, asked: ms.PoolOpen) -> ms.PoolOpened:
        app = self._own_app(client, asked.app)
        self._check_options(asked.spec.service, asked.options)
        asked = self.durable.placed(app, asked)
        launch = nested.launch_of(client, app, asked)
        pool, new = open_pool(self._reactor, app, asked, launch, message.buffers[0])
        self.durable.opened(pool, asked, new=new)
        return ms.PoolOpened(pool=pool.number)

    def _autoscaler_update(
        self, client: Client, request: int, message: Message, asked: ms.AutoscalerUpdate
    ) -> ms.AutoscalerSettings:
        pool = self._followed(asked.pool, follows=asked.follows)
        changes = {
            name: value
            for name in Autoscaler.__slots__
            if (value := getattr(asked, name)) is not msgspec.UNSET
        }
        settings = dataclasses.replace(pool.autoscaler, **changes)
        settings.check()
        pool.autoscaler = settings
        self.durable.updated(pool)
        self._reactor.feed(ev.AutoscalerUpdated(pool.number, settings))
        return ms.AutoscalerSettings(settings=settings)

    def _pool_stats(self, client: Client, request: int, message: Message, asked: ms.PoolAsk) -> ms.PoolStats:
        stats = self._reactor.scheduler.pool_stats(self._followed(asked.pool, follows=asked.follows).number)
        return ms.PoolStats(
            backlog=stats.backlog,
            num_total_runners=stats.num_total_runners,
            num_running_inputs=stats.num_running_inputs,
            input_headroom=stats.input_headroom,
            start_backoff=round(max(0.0, stats.held_until - self._now()), 3),
        )

    # -- containers and the supervisor itself ---------------------------------------------------------------------

    def _container_stop(
        self, client: Client, request: int, message: Message, asked: ms.ContainerStop
    ) -> ms.Done:
        for container in self._reactor.fleet.containers.values():
            if container.id == asked.id:
                self._reactor.feed(ev.ContainerStopAsked(container.number, asked.kill))
                return ms.Done()
        raise exception.NotFoundError(f"no container {asked.id!r} lives here; `modal-nb status` lists them")

    def _container_ask(
        self, client: Client, request: int, message: Message, asked: ms.ContainerAsk
    ) -> ms.Done:
        pool = self._pool(asked.pool)
        refusal = self._reactor.scheduler.refusal(pool.number)
        if refusal:
            raise exception.ConflictError(f"{pool.spec.service}: no more container now: {refusal}")
        self._reactor.feed(ev.ContainerAsked(pool.number))
        return ms.Done()

    def _watch_ask(self, client: Client, request: int, message: Message, asked: ms.WatchAsk) -> ms.Done:
        self._watch.ask(client, asked)
        return ms.Done()

    def _status(self, client: Client, request: int, message: Message, asked: ms.StatusAsk) -> ms.Status:
        return self.status()

    def status(self) -> ms.Status:
        """Everything that can be seen."""
        reactor, now = self._reactor, self._now()
        pools = {
            pool.number: reports.pool_status(pool, reactor.scheduler, reactor.fleet.containers, now)
            for pool in reactor.pools.values()
        }
        return ms.Status(
            pid=os.getpid(),
            version=self._settings.version,
            home=str(self._settings.places.home),
            uptime=round(now - self._born, 3),
            clients=len(self.clients),
            refused=reactor.gateway.refused,
            machine=self._settings.machine,
            containers=len(reactor.fleet.containers),
            apps=[
                reports.app_status(app, [pools[p.number] for p in reactor.pools.values() if p.app is app])
                for app in reactor.apps.values()
            ],
        )

    def _supervisor_stop(
        self, client: Client, request: int, message: Message, asked: ms.SupervisorStop
    ) -> ms.Done:
        log.info("stop asked client=%d", client.number)
        self._end()
        return ms.Done()

    # -- finding things -----------------------------------------------------------------------------------------

    def _check_options(self, service: str, options: list[str]) -> None:
        unable = [name for name in options if name not in self._honoured]
        if unable:
            raise exception.UnsupportedOptionError(_unsupported(service, unable))

    def _own_app(self, client: Client, number: int) -> App:
        app = self._reactor.apps.get(number)
        if app is None or not client.may_use(app):
            raise exception.NotFoundError(f"app {number} does not run in this supervisor, or is not yours")
        return app

    def _followed(self, number: int, *, follows: bool) -> Pool:
        """The pool; ConflictError for who wants the newest version, if this is an older one or gone."""
        pool = self._reactor.pools.get(number)
        if follows and (pool is None or pool.superseded):
            raise exception.ConflictError("a newer version has been deployed meanwhile")
        return self._pool(number)

    def _pool(self, number: int) -> Pool:
        pool = self._reactor.pools.get(number)
        if pool is None:
            raise exception.NotFoundError(f"pool {number} does not run in this supervisor any more")
        return pool


def _unsupported(service: str, options: list[str]) -> str:
    names = ", ".join(f"`{name}`" for name in options)
    return (
        f"{service}: the local back end cannot honour {names}. "
        f"Remove {'it' if len(options) == 1 else 'them'} from the decorator; nothing was started."
    )
