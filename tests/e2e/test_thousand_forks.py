"""A thousand containers in a row, forked from one snapshot: none has anything of its parent's or of another one's."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

import modal_nb as modal
from tests.e2e.home import until

app = modal.App("thousand")
FORKS = 1000

pytestmark = pytest.mark.timeout(400)


@app.cls(enable_memory_snapshot=True, single_use_containers=True, max_containers=6, serialized=True)
class Fork:
    run: str = modal.parameter()

    @modal.enter(snap=True)
    def load(self):
        self.mine = random.random(), np.random.random()  # noqa: NPY002 - the global state is what a fork copies

    @modal.method()
    def facts(self, _):
        from modal_nb.runtime.context import process

        name = os.environ["MODAL_TASK_ID"]
        links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
        wakeup = signal.set_wakeup_fd(-1)
        return {
            "snapshot": self.mine,
            "own": {
                "container": name,
                "random": random.random(),
                "numpy": np.random.random(),  # noqa: NPY002
                "uuid": str(uuid.uuid4()),
                "token": process.link.token,
                "key": json.loads(Path(self.run, name, "k.json").read_text())["key"],
            },
            "links": [link for link in links if "[" in link and not link.startswith("anon_inode")],
            "threads": sorted(thread.name for thread in threading.enumerate()),
            "tasks": len(list(Path("/proc/self/task").iterdir())),
            "children": [path.read_text() for path in Path("/proc/self/task").glob("*/children")],
            "handlers": {
                n: getattr(signal.getsignal(n), "__name__", str(signal.getsignal(n))) for n in (2, 15, 17)
            },
            "wakeup": wakeup,
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        }


def test_a_thousand_forks_share_nothing_but_their_snapshot(home):
    with app.run():
        found = list(Fork(run=str(home.places.run)).facts.map(range(FORKS)))
    assert len({one["snapshot"] for one in found}) == 1, "they come from one snapshot"
    for what in found[0]["own"]:
        assert len({one["own"][what] for one in found}) == FORKS, what
    # a descriptor that was inherited would lead to the same pipe or socket in more than one
    links = [link for one in found for link in set(one["links"])]
    assert len(links) == len(set(links)) > 4 * FORKS
    same = [{key: value for key, value in one.items() if key not in {"own", "links"}} for one in found]
    assert all(one == same[0] for one in same)
    assert same[0]["threads"] == ["MainThread", "modal_nb-control"]
    assert (same[0]["tasks"], same[0]["wakeup"], same[0]["blocked"]) == (2, -1, [])
    assert same[0]["handlers"][17] == str(signal.SIG_DFL)
    assert not any(same[0]["children"])
    # a zygote with the two processes of its spare, and the supervisor
    until(lambda: len(home.living()) <= 4)
