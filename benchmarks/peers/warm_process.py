"""A process that has imported modules and forks: `python -m benchmarks.peers.warm_process MODULE...`.

For each byte on its standard input a child is forked, says one byte on the standard output, and ends.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys


def main(modules: list[str]) -> None:
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while os.read(0, 1):
        child = os.fork()
        if not child:
            os.write(1, b"c")
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
