"""What every container does first, done once for nothing: a fork shares its parent's pages until it touches them, and
touching them takes longer than the work itself.
"""

from __future__ import annotations

from modal_nb.protocol.codec import Codec
from modal_nb.protocol.kinds import Kind
from modal_nb.protocol.packets import packet
from modal_nb.runtime import loader, payload
from modal_nb.runtime.partial_function import Mark, PartialFunction
from modal_nb.runtime.runner import Runner
from modal_nb.runtime.service import Service


class _Nobody:
    """A class that serves."""

    act = PartialFunction(lambda _self, value: value, Mark.METHOD)


class Rehearsal:
    """Made in a parent; called in each of its kernels while that is not wanted yet."""

    def __init__(self) -> None:
        self._class = loader.dump_class(_Nobody)
        self._input = payload.dumps_arguments(("nothing",), {}, method="act")

    def __call__(self) -> None:
        codec = Codec(b"rehearsal", "nobody")
        message = codec.open(codec.pack("call_request", {"method": "act"}, self._input))
        service = Service(loader.load_class(self._class))
        runner = Runner(service)
        reply = runner.run_sync(runner.expect(1), "act", message.buffers)
        packet(Kind.REPLY, codec.pack("call_reply", reply.content, reply.frames, message.header), number=1)
