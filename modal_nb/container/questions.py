"""``input()`` and ``getpass()`` of user code, and with them its debuggers, are answered by who called the input."""

from __future__ import annotations

import builtins
import itertools
import queue
import secrets
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from modal_nb.container.arrivals import Arrivals
from modal_nb.container.audience import Audience, audience
from modal_nb.container.output import Output
from modal_nb.container.pauses import Pauses
from modal_nb.exception import InputCancellation, InvalidError
from modal_nb.runtime import context
from modal_nb.runtime.context import process

_NOBODY = (
    "nobody can answer {what}: whoever called does not look. Call the method from a notebook, or from a program inside "
    "`with modal.enable_output():`"
)
_NO_INPUT = (
    "nobody can answer {what} here: it runs in no input. Ask in a method, or pass the value as a parameter"
)


class Questions:
    """One per container. ``answer`` is called on the control thread, all else where the question is asked."""

    def __init__(self, output: Output, pauses: Pauses) -> None:
        self._output = output
        self._pauses = pauses
        #: no other container gives the same: an answer may come late, to one that has got the number of another
        self._numbers = itertools.count(secrets.randbits(48))
        #: ask -> where its answer goes, and the numbers of the inputs that it is asked for
        self._open: dict[int, tuple[queue.SimpleQueue[dict[str, Any]], tuple[int, ...]]] = {}
        #: whether the input of this number is cancelled: it may be about to ask
        self.is_cancelled: Callable[[int], bool] = lambda _: False

    def install(self) -> None:
        """Before any code of the user is loaded."""
        stock = builtins.input
        process.at_cancel = self.cancelled

        def asked(prompt: object = "", /) -> str:
            """As Python's."""
            if process.container_id is None:  # a forked child has its own stdin
                return stock(prompt)
            return self.ask(str(prompt), "input()", password=False)

        builtins.input = asked
        Arrivals({"getpass": self._patch}).install()

    def _patch(self, module: ModuleType) -> None:
        stock = module.getpass

        def getpass(prompt: str = "Password: ", stream: Any = None, **options: Any) -> str:
            """As the standard library's."""
            if process.container_id is None:
                return str(stock(prompt, stream, **options))
            return self.ask(prompt, "getpass()", password=True)

        module.getpass = getpass  # type: ignore[attr-defined]

    def ask(self, prompt: str, what: str, *, password: bool) -> str:
        """The answer. InvalidError where nobody can give one."""
        __tracebackhide__ = True
        viewers = audience(self._output)
        if viewers is None:
            raise InvalidError(_NO_INPUT.format(what=what))
        if not viewers.routes:
            raise InvalidError(_NOBODY.format(what=what))
        said = self._await(viewers, prompt, password=password)
        if said.get("cancelled"):
            raise InputCancellation(f"the input was cancelled while {what} waited for an answer")
        if "value" not in said:
            raise InvalidError(f"{what} got no answer: {said.get('error') or 'the question was interrupted'}")
        return str(said["value"])

    def answer(self, data: dict[str, Any]) -> None:
        """An ``input_reply`` has come."""
        found = self._open.get(int(data.get("ask", 0)))
        if found is not None:
            found[0].put(data)

    def cancelled(self, numbers: Sequence[int]) -> None:
        """Inputs are to end; any thread. On the main thread a signal ends them, on others they would wait for ever."""
        for waiting, own in list(self._open.values()):
            if not set(own).isdisjoint(numbers):
                waiting.put({"cancelled": True})

    def _await(self, viewers: Audience, prompt: str, *, password: bool) -> dict[str, Any]:
        ask, waiting = next(self._numbers), queue.SimpleQueue[dict[str, Any]]()
        route = viewers.routes[0]
        number = route.number
        if context.current_function_call_id() == route.call:  # of a map many run here
            number = context.current_input_number() or number
        self._open[ask] = waiting, context.runs_with(number)
        try:
            if self.is_cancelled(number):
                return {"cancelled": True}
            self._pauses.begin(number)
            self._output.say(
                route, "input_request", {"prompt": prompt, "password": password, "ask": ask}, number
            )
            return waiting.get()  # a cancel on the main thread raises in here
        finally:
            self._open.pop(ask, None)
            self._pauses.end(number)
