"""What cells of an attached console show goes to iopub, what inputs show to who called them."""

from __future__ import annotations

import sys
from typing import Any

from ipykernel.displayhook import ZMQShellDisplayHook
from ipykernel.jsonutil import encode_images, json_clean
from ipykernel.zmqshell import ZMQDisplayPublisher

from modal_nb.container.audience import Audience, audience


def _viewers(shell: Any) -> Audience | None:
    return audience(shell.kernel.attachment.output)


class ContainerDisplayPublisher(ZMQDisplayPublisher):
    """``display``, ``update_display`` and ``clear_output``."""

    def publish(  # type: ignore[override]
        self, data: Any, metadata: Any = None, *, transient: Any = None, update: bool = False, **kwargs: Any
    ) -> None:
        """Called by IPython for each object that is shown."""
        viewers = _viewers(self.shell)
        if viewers is None or self._listened():
            super().publish(data, metadata, transient=transient, update=update, **kwargs)  # type: ignore[no-untyped-call]
        if viewers is not None:
            msg_type = "update_display_data" if update else "display_data"
            content = {"data": encode_images(data), "metadata": metadata or {}, "transient": transient or {}}  # type: ignore[no-untyped-call]
            self._show(viewers, msg_type, content)

    def clear_output(self, wait: bool = False) -> None:
        """Called by IPython's ``clear_output``."""
        viewers = _viewers(self.shell)
        if viewers is None or self._listened():
            super().clear_output(wait)  # type: ignore[no-untyped-call]
        if viewers is not None:
            self._show(viewers, "clear_output", {"wait": wait})

    def _show(self, viewers: Audience, msg_type: str, content: dict[str, Any]) -> None:
        message: Any = {"header": {"msg_type": msg_type}, "parent_header": {}, "content": content}
        for hook in self._hooks:
            message = hook(message)
            if message is None:
                return
        show(viewers, msg_type, message["content"])

    def _listened(self) -> bool:
        """Hooks see each message once."""
        return bool(self.shell.kernel.listened) and not self._hooks


class ContainerDisplayHook(ZMQShellDisplayHook):
    """The value of a cell's last line."""

    def finish_displayhook(self) -> None:
        """Called by IPython when the value is formatted: it is ``msg`` now."""
        viewers = _viewers(self.shell)
        if viewers is not None and self.msg is not None and self.msg["content"]["data"]:
            content = self.msg["content"]
            show(
                viewers,
                "display_data",
                {"data": content["data"], "metadata": content["metadata"], "transient": {}},
            )
            self.msg = None
            return
        super().finish_displayhook()  # type: ignore[no-untyped-call]


def show(viewers: Audience, msg_type: str, content: dict[str, Any], **rest: Any) -> None:
    """Send it; what cannot travel costs a line on stderr, not the call."""
    if not viewers.rich and "transient" in content:
        _print(content)
        return
    text = (content.get("data") or {}).get("text/plain", "") if "transient" in content else ""
    try:
        viewers.show(msg_type, _json(content), text=str(text), **rest)
    except (TypeError, ValueError) as error:
        line = f"[modal_nb cannot send this {_what(msg_type, content)} to the notebook: {error}]\n"
        for route in viewers.routes:
            viewers.output.put([route.call], viewers.input, 2, line.encode())


def _print(content: dict[str, Any]) -> None:
    """As in a script. Below of what libraries redirect: their ``print`` may come here."""
    if sys.__stdout__ is not None:
        sys.__stdout__.write(f"{content['data'].get('text/plain', '')}\n")


def _json(content: dict[str, Any]) -> Any:
    try:
        return json_clean(content)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ValueError(f"{error}; its data must be text, numbers, lists and dicts") from None


def _what(msg_type: str, content: dict[str, Any]) -> str:
    kinds = ", ".join(map(str, content.get("data") or ())) if msg_type.endswith("display_data") else ""
    return f"{msg_type} ({kinds})" if kinds else msg_type
