"""What clients ask about stored calls; each answer waits for the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modal_nb.protocol import deployment as dp
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Message
from modal_nb.supervisor.answers import Answer, Answers
from modal_nb.supervisor.keeper import Keeper
from modal_nb.supervisor.records import Client
from modal_nb.supervisor.store import all_calls, deployments
from modal_nb.supervisor.store import calls as rows


class CallHandlers:
    """One method per request."""

    def __init__(self, answers: Answers, keeper: Keeper) -> None:
        self._answers = answers
        self._keeper = keeper
        self.handlers: Mapping[type[ms.Content], Callable[[Client, int, Message, Any], None]] = {
            dp.CallAsk: self._find,
            dp.CallListAsk: self._list,
            dp.CallCancel: self._cancel,
        }

    def _find(self, client: Client, request: int, message: Message, asked: dp.CallAsk) -> None:
        def find(connection: Any) -> dp.CallFound:
            row = rows.find(connection, asked.call)
            environment, name, key = deployments.whose(connection, row.app)
            return dp.CallFound(
                environment=environment,
                app_name=name,
                key=key.hex(),
                label=row.label,
                method=row.method,
                inputs=row.inputs,
            )

        self._answers.when_done(client, request, find, lambda found: (found, ()))

    def _list(self, client: Client, request: int, message: Message, asked: dp.CallListAsk) -> None:
        self._answers.when_done(
            client,
            request,
            lambda c: all_calls.listed(c, asked.limit),
            lambda calls: (dp.CallList(calls=calls), ()),
        )

    def _cancel(self, client: Client, request: int, message: Message, asked: dp.CallCancel) -> None:
        def cancelled(pending: list[int]) -> Answer:
            waits = set(pending)
            indexes = [index for index in asked.indexes or pending if index in waits]
            self._keeper.cancel(asked.call, indexes, terminate=asked.terminate)
            return ms.Done(), ()

        def look(connection: Any) -> list[int]:
            rows.find(connection, asked.call)
            return rows.pending_indexes(connection, asked.call)

        self._answers.when_done(client, request, look, cancelled)
