"""``obj.attach()``: a living container as the Jupyter kernel that it is, for consoles, debuggers and JupyterLab."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_runtime_dir

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

    from modal_nb.client.visits import Place

#: where a Jupyter server looks for kernels of others, if it runs with ``allow_external_kernels``
_EXTERNAL = "external_kernels"


@dataclass(frozen=True, slots=True)
class Attachment:
    """How to reach one container's kernel. It is for whoever can read the file: this user."""

    #: "ct-..."
    container: str
    #: what ``jupyter console --existing`` and every Jupyter client want
    connection_file: str
    #: where a Jupyter server that was started with ``--ServerApp.allow_external_kernels=True`` finds it
    published: str

    @property
    def command(self) -> str:
        """A console for a terminal."""
        return f"jupyter console --existing {self.connection_file}"

    @contextmanager
    def client(self) -> Iterator[BlockingKernelClient]:
        """A started client of the kernel, for the length of a ``with`` block. In its cells ``self`` is the live object.

        RuntimeError if the kernel does not answer within a minute: its main thread runs a method.
        """
        from jupyter_client.blocking.client import BlockingKernelClient  # noqa: PLC0415 - for who uses it

        client = BlockingKernelClient(connection_file=self.connection_file)
        client.load_connection_file()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=60)
            yield client
        finally:
            client.stop_channels()

    def detach(self) -> None:
        """Jupyter servers do not list it any more; who is connected stays so. It goes with its container, too."""
        Path(self.published).unlink(missing_ok=True)

    def __repr__(self) -> str:
        return f"<attached to {self.container}: {self.command}>"


def attach(place: Place) -> Attachment:
    """Show this container to Jupyter servers, under a name that people know it by."""
    own = Path(place.found.connection_file)
    connection = {
        **json.loads(own.read_bytes()),
        "kernel_name": f"{place.pool.spec.service} {place.found.id}",
    }
    shown = own.with_name("lab.json")
    descriptor = os.open(shown, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(connection, file)
    return Attachment(place.found.id, str(own), str(_publish(place.found.id, shown)))


def _publish(container: str, shown: Path) -> Path:
    """A link: what it leads to goes with the container's folder, and servers forget the kernel."""
    folder = Path(jupyter_runtime_dir(), _EXTERNAL)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for link in folder.glob("modal_nb-*.json"):
        if not link.exists():  # its container has ended
            with suppress(OSError):
                link.unlink()
    link = folder / f"modal_nb-{container}.json"
    link.unlink(missing_ok=True)
    link.symlink_to(shown)
    return link
