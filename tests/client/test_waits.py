"""Facts on why a call waits, as people read them."""

from __future__ import annotations

import pytest

from modal_nb.client.waits import sentence
from modal_nb.protocol.containers import CallWait, RunningInput, Short, Starting

ENTERS = Starting(id="ct-7", phase="enter", seconds=8.04, start={"launch": 0.3, "imports": 3.2})
LAUNCHES = Starting(id="ct-8", phase="launch", seconds=0.2)


def running(seconds, **more):
    return RunningInput(number=5, seconds=seconds, **more)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"state": "running", "seconds": 3.04, "container": "ct-7"}, "runs since 3.0 s in ct-7"),
        (
            {"ahead": 12, "busy": 2, "max_containers": 2, "at_maximum": True},
            "behind 12 others: 2 containers are busy, max_containers=2",
        ),
        (
            {"ahead": 1, "busy": 1, "max_containers": 1, "at_maximum": True},
            "behind one other: 1 container is busy, max_containers=1",
        ),
        (
            {"starting": [LAUNCHES, ENTERS]},
            "2 containers are starting: its process 0.3 s, imports 3.2 s, enter hooks since 8.0 s",
        ),
        ({"starting": [LAUNCHES]}, "a container is starting: its process since 0.2 s"),
        (
            {"short": Short(what="cpu", asked=4.0, free=1.5, limit=8.0)},
            "no capacity: needs cpu=4, 1.5 of 8 are free",
        ),
        (
            {"short": Short(what="memory", asked=3000, free=100, limit=8000)},
            "no capacity: needs memory=3000, 100 of 8000 MiB are free",
        ),
        (
            {"short": Short(what="containers", asked=1, free=0, limit=8)},
            "no capacity: all 8 containers of this machine are taken",
        ),
        (
            {"back_off": 12.0, "failures": 1},
            "starts failed: the next one is tried in 12 s; it failed once before",
        ),
        ({"aside": 1}, "1 container is aside while somebody looks inside"),
        ({"why": "the app is stopping"}, "the app is stopping"),
        ({"state": "retrying", "failures": 2, "seconds": 4.0}, "failed 2 times: tried again in 4.0 s"),
        ({"state": "gathering", "seconds": 0.1}, "its batch fills, for 0.1 s at most"),
        (
            {"state": "fetched", "container": "ct-7", "behind": [running(0.2)]},
            "next in ct-7, which runs another input since 0.2 s",
        ),
        (
            {"state": "pinned", "container": "ct-7", "behind": [running(12), running(3, method="predict")]},
            "waits for ct-7, which runs another input since 12 s and one other",
        ),
        (
            {"state": "pinned", "container": "ct-7", "behind": [running(3, method="predict")]},
            "waits for ct-7, which runs predict since 3.0 s",
        ),
        (
            {"state": "pinned", "container": "ct-7", "ahead": 2, "behind": [running(3)]},
            "behind 2 others for ct-7",
        ),
        ({"state": "pinned", "container": "ct-7"}, "waits until ct-7 has started"),
    ],
)
def test_a_sentence(facts, said):
    assert sentence(CallWait(call=1, **{"state": "queued", **facts})) == said
