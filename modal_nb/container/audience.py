"""Who looks at what the current code shows: the callers of the input that it belongs to."""

from __future__ import annotations

from typing import Any, NamedTuple

from modal_nb.container.output import Output, Route
from modal_nb.container.printing import owner
from modal_nb.protocol.output import Out


class Audience(NamedTuple):
    """The routes of the function calls that the current code runs for; none where nobody looks."""

    output: Output
    routes: list[Route]
    #: "in-..."; empty where it is not known
    input: str

    @property
    def rich(self) -> bool:
        """Whether one of them is a notebook."""
        return any(route.out >= Out.RICH for route in self.routes)

    def show(
        self,
        msg_type: str,
        data: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        buffers: Any = (),
        text: str = "",
    ) -> None:
        """One Jupyter message for notebooks, ``text`` for terminals."""
        for route in self.routes:
            if route.out >= Out.RICH:
                self.output.show(route, self.input, msg_type, data, metadata=metadata, buffers=buffers)
            elif text:
                self.output.put([route.call], self.input, 1, f"{text}\n".encode())


def audience(output: Output | None) -> Audience | None:
    """That of the current code; None: it is not code of an input."""
    whose = owner()
    if whose is None or output is None:
        return None
    return Audience(output, output.of(whose[0]), whose[1])
