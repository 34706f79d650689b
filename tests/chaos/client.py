"""One client process of a chaos run: ``python client.py FOLDER NAME INPUTS``.

Half of its inputs go by one ``.map``, half by ``.remote`` from four threads. It writes down what it gives away and
what it is told, and gives away no more than the file ``FOLDER/allowed`` says.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import modal_nb as modal

THREADS = 4
#: seconds that one input takes
WORK = 0.02

app = modal.App("chaos")


@app.cls(max_containers=3)
class Noted:
    folder: str = modal.parameter()

    @modal.enter()
    def open(self):
        path = Path(self.folder, "containers", os.environ["MODAL_TASK_ID"])
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, word, name):
        os.write(self.file, f"{word} {name} {time.monotonic_ns()}\n".encode())

    @modal.method()
    def run(self, name):
        self.note("begin", name)
        time.sleep(WORK)
        self.note("end", name)
        return name, zlib.crc32(name.encode())


class Client:
    """Gives inputs away and writes down what becomes of them."""

    def __init__(self, folder: Path, name: str, inputs: int) -> None:
        self.folder = folder
        self.name = name
        self.inputs = inputs
        self.file = os.open(folder / "clients" / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words: object) -> None:
        os.write(self.file, (" ".join(map(str, words)) + f" {time.monotonic_ns()}\n").encode())

    def names(self, first: int, step: int) -> Iterator[str]:
        """Every ``step``-th input from ``first`` on, each as soon as it is allowed."""
        for number in range(first, self.inputs, step):
            while number >= int((self.folder / "allowed").read_text() or 0):
                time.sleep(0.01)
            name = f"{self.name}{number}"
            self.note("invoke", name)
            yield name

    def map(self, noted: Noted) -> None:
        for answer in noted.run.map(self.names(0, 2), order_outputs=False, return_exceptions=True):
            if isinstance(answer, BaseException):
                self.note("fail", f"{self.name}?", type(answer).__name__)
            else:
                self.note("ok", *answer)

    def remote(self, noted: Noted, first: int) -> None:
        for name in self.names(first, 2 * THREADS):
            try:
                self.note("ok", *noted.run.remote(name))
            except BaseException as error:
                self.note("fail", name, type(error).__name__)

    def run(self) -> None:
        with app.run():
            noted = Noted(folder=str(self.folder))
            threads = [threading.Thread(target=self.map, args=(noted,))]
            threads += [threading.Thread(target=self.remote, args=(noted, 1 + 2 * n)) for n in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


if __name__ == "__main__":
    Client(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run()
