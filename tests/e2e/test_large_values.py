"""Large values in all kinds of calls: equal, writable, through shared memory where there is some, and nothing stays."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys

import numpy as np
import pytest

import modal_nb as modal
from modal_nb.protocol import segments
from modal_nb.protocol.segments import MOST_SEGMENTS
from tests.e2e.home import until
from tests.e2e.large import Large, Rich, app, numbered
from tests.house.tree import ROOT
from tests.protocol.shared_memory import lent_through, named

KIB, MIB = 1024, 1024 * 1024
SIZES = [KIB, 256 * KIB, MIB, 100 * MIB]


@pytest.fixture
def large(home):
    """Afterwards nothing may be lent and nothing may be left."""
    with app.run():
        yield Large.with_options(max_containers=1)()
    gc.collect()  # exceptions that were caught hold frames
    until(lambda: segments.ours().lent() == 0)
    until(lambda: lent_through(home.supervisor().pid) == 0)
    assert not named()


@pytest.mark.parametrize("size", SIZES)
def test_a_value_travels_both_ways(large, size):
    array = numbered(size)
    assert np.array_equal(large.same.remote(array), array)
    until(lambda: large.lent.remote()[0] == 0)
    assert (large.lent.remote()[1] > 0) == (size > KIB)
    assert (len(segments.ours().sizes()) > 0) == (size > KIB)


@pytest.mark.parametrize("size", SIZES)
def test_a_value_is_awaited(large, size):
    array = numbered(size)

    async def several():
        return await asyncio.gather(*[large.same_async.remote.aio(array) for _ in range(3)])

    for back in asyncio.run(several()):
        assert np.array_equal(back, array)


@pytest.mark.parametrize(
    ("size", "count"), [(KIB, 300), (50 * KIB, 200), (256 * KIB, 100), (MIB, 60), (100 * MIB, 4)]
)
def test_values_are_mapped_in_order(large, size, count):
    backs = large.same.map(numbered(size, number) for number in range(count))
    assert [back[0] == number and back.nbytes == size for number, back in enumerate(backs)] == [True] * count


@pytest.mark.parametrize("size", SIZES)
def test_a_value_is_spawned_and_each_get_gives_its_own(large, size):
    array = numbered(size)
    call = large.same.spawn(array)
    first = call.get()
    assert np.array_equal(first, array)
    first[:] = 0
    assert np.array_equal(call.get(), array)


@pytest.mark.parametrize(("size", "count"), [(KIB, 200), (256 * KIB, 40), (MIB, 40), (100 * MIB, 3)])
def test_items_of_a_generator_travel(large, size, count):
    array = numbered(size)
    numbers = []
    for number, item in large.items.remote_gen(array, count):
        assert np.array_equal(item, array)
        numbers.append(number)
    assert numbers == list(range(count))


def test_an_exception_brings_its_array(large):
    with pytest.raises(Rich) as caught:
        large.fail.remote(numbered(512 * KIB))
    assert np.array_equal(caught.value.array, numbered(512 * KIB))


def test_a_nested_call_passes_a_value_on(large):
    assert np.array_equal(large.nested.remote(numbered(MIB)), numbered(MIB))


def test_all_that_pickle_takes_out_of_band_and_what_it_does_not(large):
    value = {
        "bytes": bytes(range(256)) * 4096,
        "text": "ä" * MIB,
        "small": numbered(KIB),
        "large": [numbered(MIB), numbered(MIB, 5)],
        "columns": np.asfortranarray(np.arange(200_000.0).reshape(400, 500)),
        "view": np.arange(400_000)[::2],
        "read only": np.broadcast_to(np.float32(3), (300, 400)),
    }
    back = large.same.remote(value)
    assert back.keys() == value.keys()
    assert (back["bytes"], back["text"]) == (value["bytes"], value["text"])
    for name in ("small", "columns", "view", "read only"):
        assert np.array_equal(back[name], value[name])
    assert all(map(np.array_equal, back["large"], value["large"]))


@pytest.mark.parametrize("size", SIZES)
def test_arrays_are_writable_and_what_is_written_is_seen_by_nobody_else(large, size):
    sent = numbered(size)
    back = large.fill.remote(sent)
    assert back[0] == back[-1] == 42
    assert sent[1] == 1
    back[:] = 7
    assert back[-1] == 7


def test_an_attempt_does_not_see_what_the_one_before_has_written(large, tmp_path):
    patient = Large.with_options(retries=modal.Retries(max_retries=2, initial_delay=0.0))()
    assert patient.fill_and_fail_once.remote(numbered(MIB, 3), str(tmp_path / "tried")) == (
        3,
        3 + MIB // 8 - 1,
    )


def test_what_a_container_keeps_stays_right_and_more_than_may_be_lent_is_streamed(large):
    count = MOST_SEGMENTS + 10
    for number in range(count):
        assert large.keep.remote(numbered(256 * KIB, number)) == number + 1
    assert len(segments.ours().sizes()) <= MOST_SEGMENTS
    until(lambda: segments.ours().lent() == MOST_SEGMENTS)
    assert large.kept_sums.remote() == [int(numbered(80, number).sum()) for number in range(count)]


def test_a_result_outlives_its_container_and_its_app(home):
    with app.run():
        results = [Large().same.remote(numbered(MIB, 9)) for _ in range(3)]
    assert not home.ids("Large")
    for back in results:
        assert np.array_equal(back, numbered(MIB, 9))


def test_without_shared_memory_all_works_the_slower_way(large, monkeypatch):
    monkeypatch.setattr(segments, "_ours", segments.Segments(bound=0))
    large.lend_nothing.remote()
    assert np.array_equal(large.same.remote(numbered(MIB)), numbered(MIB))
    assert [len(back) for back in large.same.map([numbered(MIB)] * 5)] == [MIB // 8] * 5
    assert [len(back) for _, back in large.items.remote_gen(numbered(MIB), 3)] == [MIB // 8] * 3
    assert large.lent.remote() == (0, 0)


SCRIPT = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from tests.e2e.large import Large, app, numbered
from modal_nb.protocol import segments
with app.run():
    assert np.array_equal(Large().same.remote(numbered(2**20)), numbered(2**20))
    print(len(segments.ours().sizes()))
"""


@pytest.mark.parametrize("fill", ["true", "head -c 100k /dev/zero > /dev/shm/full"], ids=["small", "full"])
def test_how_large_dev_shm_is_does_not_matter(tmp_path, home, fill):
    """In a mount namespace of its own, with a supervisor of its own: this one's would not be affected."""
    unshare = ["unshare", "--mount", "--map-root-user", "--user"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(root=str(ROOT)))
    (tmp_path / "h").mkdir()
    command = (
        f"mount -t tmpfs -o size=64k shm /dev/shm; {fill}; export MODAL_NB_HOME={tmp_path}/h; {sys.executable} {file}; "
        f"{sys.executable} -m modal_nb.cli stop"
    )
    done = subprocess.run(
        [*unshare, "sh", "-c", command], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout.splitlines()[:1] == ["1"], done.stderr
