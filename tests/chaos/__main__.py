"""``make chaos``: the deep size, with a line that tells how far it is."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path

from tests.chaos.history import judge, reruns
from tests.chaos.storm import DEEP, Size, Storm
from tests.e2e.home import MARK, Home


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--inputs", type=int, default=DEEP.inputs)
    parser.add_argument("--kills", type=int, default=DEEP.kills)
    parser.add_argument("--supervisor-kills", type=int, default=DEEP.supervisor_kills)
    parser.add_argument("--seed", type=int, default=uuid.uuid4().int % 10_000)
    asked = parser.parse_args()
    size = Size(asked.inputs, asked.kills, asked.supervisor_kills)
    print(
        f"{size.inputs} inputs over {size.kills} kills of containers and {size.supervisor_kills} of the supervisor"
    )
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder:
        home = Home(Path(folder, "home"))
        os.environ |= {"MODAL_NB_HOME": str(home.folder), MARK: home.mark, "MODAL_NB_MAX_CONTAINERS": "8"}
        place = Path(folder, "chaos")
        place.mkdir()
        began = time.monotonic()
        try:
            storm = Storm(home, place, size, asked.seed)
            history = storm.rage(
                lambda text: print(f"\r{time.monotonic() - began:5.0f} s  {text}   ", end="")
            )
        finally:
            print()
            home.close()
    broken = judge(history)
    print(
        f"{len(history.invoked)} inputs, {storm.kills} kills of containers confirmed in the middle of an input, "
        f"{len(storm.ends)} of the supervisor, {reruns(history)} reruns: {len(broken)} broken promises "
        f"(seed {asked.seed}, {time.monotonic() - began:.0f} s)"
    )
    for sentence in broken:
        print("  " + sentence)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
