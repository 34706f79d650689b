"""What outlives the supervisor, in one place: the store, what is deployed, and the calls that are kept.

Loaded when it is first needed: most supervisors serve one notebook and never open a database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modal_nb.exception import Error
from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol import objects as ob
from modal_nb.protocol.codec import Message, MessageRefused
from modal_nb.protocol.stream import Packet
from modal_nb.supervisor import reports
from modal_nb.supervisor.records import App, Client, Pool
from modal_nb.supervisor.settings import Settings

if TYPE_CHECKING:
    from modal_nb.supervisor.reactor import Reactor
    from modal_nb.supervisor.stored import Stored

log = logging.getLogger("modal_nb.supervisor")

#: seconds between two looks for results that are too old
_SWEEP_EVERY = 600.0
#: whose requests are answered here
_STORED = frozenset({dp.__name__, ob.__name__})


class Durable:
    """The door to everything that is stored; used from the loop's thread only."""

    def __init__(
        self,
        settings: Settings,
        reactor: Reactor,
        epoch: str,
        check: Callable[[str, list[str]], None],
        loop: asyncio.AbstractEventLoop,
        connected: Callable[[], list[Client]],
    ) -> None:
        """``check`` raises for options of a class that the back end does not honour; ``connected``: who is here."""
        self._settings = settings
        self._reactor = reactor
        self._loop = loop
        #: what the parts are made of
        self._means = (settings, reactor, epoch, check, loop, connected)
        self._loaded = False
        #: what earlier supervisors have left was taken over, or there was nothing
        self._whole = False
        self._mending = asyncio.Lock()
        self._later: set[asyncio.Task[None]] = set()

    @cached_property
    def _stored(self) -> Stored:
        from modal_nb.supervisor.stored import Stored  # noqa: PLC0415 - see above

        self._loaded = True
        made = Stored(*self._means)
        self._loop.call_later(_SWEEP_EVERY, self._sweep)
        return made

    @property
    def pending(self) -> int:
        """Accepted inputs without an outcome."""
        return self._stored.keeper.pending if self._loaded else 0

    async def restore(self) -> None:
        """Take over what earlier supervisors have left. A store that cannot be read stops nobody but its users."""
        if not self._settings.places.store.exists():
            self._whole = True
            return
        try:
            await self._mend()
        except Error as error:
            log.error("nothing deployed is taken over: %s", error)

    def handles(self, record: type[ms.Content]) -> bool:
        return record.__module__ in _STORED

    def answer(self, client: Client, request: int, message: Message, asked: Any) -> None:
        """A request about what is stored; it is answered later."""
        if self._whole:
            self._stored.handlers[type(asked)](client, request, message, asked)
            return
        later = self._loop.create_task(self._answer_when_whole(client, request, message, asked))
        self._later.add(later)
        later.add_done_callback(self._later.discard)

    async def _answer_when_whole(self, client: Client, request: int, message: Message, asked: Any) -> None:
        """The store could not be read before: perhaps somebody has mended it."""
        try:
            await self._mend()
        except Error as error:
            reports.refuse(client, request, error)
            self._reactor.flush()
            return
        self._stored.handlers[type(asked)](client, request, message, asked)

    async def _mend(self) -> None:
        """Take over what is stored, once."""
        async with self._mending:
            if not self._whole:
                await self._stored.restore()
                self._whole = True

    # -- pools and calls of deployed apps ---------------------------------------------------------------------------

    def placed(self, app: App, asked: ms.PoolOpen) -> ms.PoolOpen:
        """The request as it is to be met. ConflictError when a newer version is deployed."""
        return self._stored.deployments.placed(app, asked) if app.deployment else asked

    def opened(self, pool: Pool, asked: ms.PoolOpen, *, new: bool) -> None:
        if pool.app.deployment:
            self._stored.deployments.opened(pool, asked, new=new)

    def updated(self, pool: Pool) -> None:
        """Its autoscaler has been changed."""
        if pool.app.deployment:
            self._stored.deployments.updated(pool)

    def spawn(self, client: Client, call: Packet, pool: Pool) -> None:
        if not pool.app.deployment:
            raise MessageRefused("only calls of deployed apps are kept")
        self._stored.keeper.spawn(client, call, pool)

    def attach(self, client: Client, asked: Packet) -> None:
        self._stored.keeper.watchers.attach(client, asked)

    def detach(self, client: Client, number: int) -> bool:
        """False: it is no attached call."""
        return self._loaded and self._stored.keeper.watchers.detach(client, number)

    def lost(self, client: Client) -> None:
        if self._loaded:
            self._stored.keeper.watchers.lost(client)
            self._stored.objects.lost(client)

    def end(self) -> None:
        """The supervisor is about to end: what has no outcome is left to the next one."""
        if self._loaded:
            self._stored.keeper.ending = True

    def close(self) -> None:
        """Write what is to be written."""
        if self._loaded:
            self._stored.store.close()

    def _sweep(self) -> None:
        self._stored.sweep()
        self._loop.call_later(_SWEEP_EVERY, self._sweep)
