"""Who waits for the outcome of a kept input."""

from __future__ import annotations

import msgspec

from modal_nb.exception import Error
from modal_nb.protocol.codec import MessageRefused
from modal_nb.protocol.deployment import SpawnHead
from modal_nb.protocol.stream import Kind, Packet, Result, packet
from modal_nb.supervisor import outcomes
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.store import calls as rows
from modal_nb.supervisor.store.blobs import Blobs
from modal_nb.supervisor.store.store import Store

Input = tuple[str, int]


class Watchers:
    """Answers ATTACH packets, now or when the outcome is on disk."""

    def __init__(self, store: Store, blobs: Blobs, reactor: Reactor) -> None:
        self._store = store
        self._blobs = blobs
        self._reactor = reactor
        self._waiting: dict[Input, dict[tuple[Client, int], None]] = {}
        #: all that have asked and are not told; None: the store is being asked
        self._asked: dict[tuple[Client, int], Input | None] = {}

    def attach(self, client: Client, asked: Packet) -> None:
        """The outcome as a RESULT if it is there, else PENDING now and the outcome later. Raises MessageRefused."""
        try:
            head = msgspec.json.decode(asked.frames()[0], type=SpawnHead)
        except (msgspec.DecodeError, IndexError):
            raise MessageRefused("an attach without a head") from None
        key, who = (head.call, head.index), (client, asked.number)
        self._asked[who] = None

        def found(end: rows.Settled | None) -> None:
            if who not in self._asked:
                return  # nobody waits any more
            if end is None:
                self._asked[who] = key
                self._waiting.setdefault(key, {})[who] = None
                client.link.send(packet(Kind.RESULT, number=asked.number, flags=Result.PENDING, count=0))
            else:
                del self._asked[who]
                client.link.send(outcomes.result(end, asked.number))
            self._reactor.flush()

        def failed(error: Error) -> None:
            if self._asked.pop(who, self) is not self:
                client.link.send(outcomes.refused(error, asked.number))
                self._reactor.flush()

        self._store.run(lambda c: rows.outcome(c, self._blobs, *key), found, failed)

    def tell(self, key: Input, end: rows.Settled) -> None:
        """The outcome is on disk."""
        for who in list(self._waiting.pop(key, ())):
            self._asked.pop(who, None)
            client, number = who
            client.link.send(outcomes.result(end, number))

    def detach(self, client: Client, number: int) -> bool:
        """Nobody waits there any more. False: nobody did."""
        if (client, number) not in self._asked:
            return False
        key = self._asked.pop((client, number))
        if key is not None:
            waiting = self._waiting.get(key, {})
            waiting.pop((client, number), None)
            if not waiting:
                self._waiting.pop(key, None)
        return True

    def lost(self, client: Client) -> None:
        """Its connection ended."""
        for who, number in [who for who in self._asked if who[0] is client]:
            self.detach(who, number)
