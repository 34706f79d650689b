"""A wall clock that jumps by days at each look, in all three processes: nothing comes early, nothing comes late."""

from __future__ import annotations

from tests.e2e import script
from tests.e2e.home import until

#: read by each Python process that starts with this folder on its path
JUMPING = """
import itertools, time
_real, _jumps = time.time, itertools.cycle([0, 90_000, -90_000, 3_000_000_000, -1_000_000_000])
time.time = lambda: _real() + next(_jumps)
time.time_ns = lambda: int(time.time() * 1e9)
"""

CLIENT = """
import os, time
import modal_nb as modal
from modal_nb.exception import FunctionTimeoutError
assert abs(time.time() - time.time()) > 10_000, "the clock does not jump here"

app = modal.App("clock")

@app.cls(timeout=4, startup_timeout=60, max_containers=1, scaledown_window=4)
class Clock:
    @modal.method()
    def sleep(self, seconds):
        assert abs(time.time() - time.time()) > 10_000, "the clock does not jump in the container"
        time.sleep(seconds)
        return os.environ["MODAL_TASK_ID"]

with app.run():
    first = Clock().sleep.remote(0.5)
    # far from their limits: the same container serves all of them
    assert set(Clock().sleep.map([0.01] * 100)) == {first}
    assert Clock().sleep.remote(1) == first
    try:
        Clock().sleep.remote(1000)
    except FunctionTimeoutError:
        print("timed out", flush=True)
    last = Clock().sleep.remote(0)
    print(last, flush=True)
    while not os.path.exists("over"):
        time.sleep(0.01)
"""


def test_a_wall_clock_that_jumps_changes_nothing(home, tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with script.start(tmp_path, CLIENT) as process:
        try:
            assert process.stdout.readline() == "timed out\n", process.stderr.read()
            container = process.stdout.readline().strip()
            # idle for its window of four seconds, it ends
            until(lambda: f"container exited id={container} cause=stopped" in home.log())
        finally:
            (tmp_path / "over").touch()
            process.communicate(timeout=60)
    supervisor = home.supervisor()
    assert str(tmp_path) in supervisor.environ()["PYTHONPATH"]
