"""Completion of ``%%container`` cells by the kernel of the container, where the names are."""

from __future__ import annotations

import re
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult
from jupyter_client.blocking.client import BlockingKernelClient

from modal_nb.client import targets

#: the target is a container's id or a name: no other expression is evaluated because somebody types
_FIRST = re.compile(r"%%container\s+(?P<target>ct-\S+|[^\W\d][\w.]*)(?=\s)[^\n]*\n")
#: seconds that a container may take; one that is busy does not answer
_PATIENCE = 2.0
#: connections that are kept
_MOST = 4


class RemoteCompletion:
    """One per shell; keeps a connection to each container that it has asked lately."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._clients: dict[str, BlockingKernelClient] = {}

    def install(self) -> None:
        """Be asked with the other sources of completions."""
        self._shell.Completer.custom_matchers.append(self._match)

    def _match(self, context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")
        cell = "\n".join(
            [*lines[: context.cursor_line], lines[context.cursor_line][: context.cursor_position]]
        )
        return {"completions": [SimpleCompletion(one) for one in self.complete(cell, context.token)]}

    _match.matcher_api_version = 2  # type: ignore[attr-defined]

    def complete(self, cell: str, token: str) -> list[str]:
        """What ``token``, the last word of the cell up to the cursor, may become; nothing where nobody can be asked."""
        first = _FIRST.match(cell)
        if first is None:
            return []
        body, target = cell[first.end() :], first["target"]
        try:
            named = target if target.startswith("ct-") else self._shell.ev(target)
            content = self._asked(targets.places(named)[0].found.connection_file, body)
        except Exception:  # noqa: BLE001 - whatever it is: a person types, and there is no completion
            return []
        replaced = body[content.get("cursor_start", len(body)) :]
        kept = token.removesuffix(replaced)
        return [kept + match for match in content.get("matches", ())]

    def _asked(self, connection_file: str, body: str) -> dict[str, Any]:
        """What the kernel says. One that does not answer is busy, or has ended: its connection is not kept."""
        try:
            reply = self._client(connection_file).complete(body, len(body), reply=True, timeout=_PATIENCE)
        except BaseException:
            self._close(connection_file)
            raise
        content: dict[str, Any] = reply["content"]
        return content

    def _client(self, connection_file: str) -> BlockingKernelClient:
        client = self._clients.pop(connection_file, None)
        if client is None:
            client = BlockingKernelClient(connection_file=connection_file)
            client.load_connection_file()
            client.start_channels(hb=False, stdin=False)  # the kernel waits for who does not hear iopub
        self._clients[connection_file] = client  # the one that was used last is the last
        if len(self._clients) > _MOST:
            self._close(next(iter(self._clients)))
        return client

    def _close(self, connection_file: str) -> None:
        client = self._clients.pop(connection_file, None)
        if client is not None:
            client.stop_channels()
