"""Answers to requests that had to wait for the store. They are written in the turn in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from modal_nb.exception import Error
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.supervisor import reports
from modal_nb.supervisor.reactor import Reactor
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.store.store import Operation, Store

#: content and buffers
Answer = tuple[ms.Content, Sequence[Frame]]


class Answers:
    """Shared by all that answer from the store."""

    def __init__(self, store: Store, reactor: Reactor) -> None:
        self._store = store
        self._flush = reactor.flush

    def give(self, client: Client, request: int, content: ms.Content, buffers: Sequence[Frame] = ()) -> None:
        """Answer it now."""
        reports.answer(client, request, content, buffers)
        self._flush()

    def refuse(self, client: Client, request: int, error: Error) -> None:
        """Say now why it cannot be met."""
        reports.refuse(client, request, error)
        self._flush()

    def when_done(
        self, client: Client, request: int, operation: Operation[Any], answer: Callable[[Any], Answer]
    ) -> None:
        """Run the operation; what it returns, made an answer, is told once it is on disk, else why not."""
        self._store.run(
            operation,
            lambda found: self.give(client, request, *answer(found)),
            partial(self.refuse, client, request),
        )
