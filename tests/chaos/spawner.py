"""One spawning client of a chaos run: ``python spawner.py FOLDER NAME INPUTS``; the app "chaos" is deployed.

Four threads spawn, and one asks for the results; ids are written down, so that others can ask for them, too.
"""

from __future__ import annotations

import queue
import sys
import threading
from pathlib import Path

import modal_nb as modal
from tests.chaos.client import THREADS, Client


class Spawner(Client):
    """As ``Client``, by ``.spawn`` alone."""

    def spawn(self, noted: modal.Cls, first: int, calls: queue.SimpleQueue) -> None:
        ids = self.folder / f"ids-{self.name}-{first}"
        with ids.open("w", buffering=1) as file:
            for name in self.names(first, THREADS):
                call = noted.run.spawn(name)
                file.write(f"{name} {call.object_id}\n")
                calls.put((name, call))
        calls.put(None)

    def collect(self, calls: queue.SimpleQueue) -> None:
        ended = 0
        while ended < THREADS:
            found = calls.get()
            if found is None:
                ended += 1
                continue
            name, call = found
            try:
                self.note("ok", *call.get())
            except BaseException as error:
                self.note("fail", name, type(error).__name__)

    def run(self) -> None:
        noted = modal.Cls.from_name("chaos", "Noted")(folder=str(self.folder))
        calls: queue.SimpleQueue = queue.SimpleQueue()
        threads = [threading.Thread(target=self.spawn, args=(noted, n, calls)) for n in range(THREADS)]
        threads.append(threading.Thread(target=self.collect, args=(calls,)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    Spawner(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run()
