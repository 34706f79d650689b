"""Inputs side by side in one container: how many, where each of them runs, and what belongs to whom."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

import modal_nb as modal
from modal_nb.exception import DeadlockError, InvalidError
from tests.e2e.home import until
from tests.e2e.wide import MOST, Aiming, Narrow, Notes, Wide, app


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def wide(tmp_path):
    """An instance with a container of its own."""
    return Wide(folder=str(tmp_path))


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


def all_of(*awaitables):
    async def gathered():
        return await asyncio.gather(*awaitables, return_exceptions=True)

    return asyncio.run(gathered())


# -- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["count", "a_count"])
def test_over_5000_inputs_as_many_run_as_may_and_never_one_more(wide, method):
    assert list(getattr(wide, method).map(range(5000))) == list(range(5000))
    assert wide.peak.remote() == (MOST, 5000)


@pytest.mark.parametrize("method", ["count", "a_count"])
def test_so_it_is_for_callers_that_know_nothing_of_each_other(wide, method):
    assert all_of(*(getattr(wide, method).remote.aio(x) for x in range(500))) == list(range(500))
    assert wide.peak.remote() == (MOST, 500)


def test_by_default_it_is_one_and_a_variant_may_run_more(tmp_path):
    narrow = Narrow(folder=str(tmp_path))
    assert list(narrow.count.map(range(100, 200))) == list(range(100, 200))
    assert narrow.peak.remote() == (1, 100)
    variant = Narrow.with_concurrency(max_inputs=MOST)(folder=str(tmp_path))
    assert list(variant.count.map(range(200))) == list(range(200))
    assert variant.peak.remote() == (MOST, 200)


def test_a_variant_may_run_less(tmp_path):
    variant = Wide.with_concurrency(max_inputs=2)(folder=str(tmp_path))
    list(variant.count.map(range(100, 400)))
    peak, total = variant.peak.remote()
    assert (peak <= 2, total) == (True, 300)


def test_a_thousand_coroutines_wait_side_by_side(tmp_path, notes):
    variant = Wide.with_concurrency(max_inputs=1000)(folder=str(tmp_path))
    with ThreadPoolExecutor(1) as thread:
        held = thread.submit(lambda: all_of(*(variant.a_hold.remote.aio(x) for x in range(1000))))
        until(lambda: len(notes.of("begin")) == 1000)
        notes.open()
        assert [x for x, _ in held.result(60)] == list(range(1000))


# -- where ------------------------------------------------------------------------------------------------------------


def test_plain_inputs_each_have_a_daemon_thread_ids_and_a_context(wide):
    found = all_of(*(wide.meet.remote.aio(x) for x in range(MOST)))
    for x, (same, before, after, seen, kept, (main, daemon, _)) in enumerate(found):
        assert (same, before, seen, kept) == (x, after, "of the enter hook", x)
        assert (main, daemon) == (False, True)
    assert len({thread for *_, (_, _, thread) in found}) == MOST
    assert len({before for _, before, *_ in found}) == MOST


def test_async_inputs_are_tasks_on_the_loop_of_the_enter_hooks(wide):
    found = all_of(*(wide.a_meet_all.remote.aio(x) for x in range(MOST)))
    for x, (same, before, after, seen, kept, (main, on_the_loop)) in enumerate(found):
        assert (same, before, seen, kept) == (x, after, "of the enter hook", x)
        assert main
        assert on_the_loop
    assert len({before for _, before, *_ in found}) == MOST


def test_one_at_a_time_is_the_main_thread_again(tmp_path):
    assert Wide.with_concurrency(max_inputs=1)(folder=str(tmp_path)).is_main.remote()
    assert not Wide(folder=str(tmp_path)).is_main.remote()


def test_hundreds_of_threads_wait_side_by_side(tmp_path, notes):
    variant = Wide.with_concurrency(max_inputs=300)(folder=str(tmp_path))
    calls = [variant.hold.spawn(x) for x in range(300)]
    until(lambda: len(notes.of("begin")) == 300)
    notes.open()
    assert [call.get()[0] for call in calls] == list(range(300))


def test_both_kinds_meet_in_one_container(wide):
    calls = [(wide.meet if x % 2 else wide.a_meet_all).remote.aio(x) for x in range(MOST)]
    found = all_of(*calls)
    assert [x for x, *_ in found] == list(range(MOST))
    assert [place[0] for *_, place in found] == [x % 2 == 0 for x in range(MOST)]


def test_what_an_input_leaves_in_its_context_no_other_one_sees(wide):
    for method in ("meet", "a_meet_all"):
        for _ in range(3):
            seen = {seen for _, _, _, seen, *_ in getattr(wide, method).map(range(MOST))}
            assert seen == {"of the enter hook"}


def test_the_ids_inside_are_those_that_the_caller_has(wide):
    calls = [wide.meet.spawn(x) for x in range(MOST)]
    for call in calls:
        _, (call_id, input_id), *_ = call.get()
        assert call_id == call.object_id
        assert input_id == f"in-{call_id.removeprefix('fc-')}-0"


def test_of_a_map_each_input_has_its_own_place_in_the_one_call(wide):
    found = [before for _, before, *_ in wide.meet.map(range(MOST))]
    (call,) = {call for call, _ in found}
    assert [name for _, name in found] == [f"in-{call.removeprefix('fc-')}-{x}" for x in range(MOST)]


def test_what_one_raises_the_others_do_not_notice(wide):
    found = list(wide.fail.map(range(500), return_exceptions=True))
    assert found[::2] == list(range(0, 500, 2))
    assert [error.args for error in found[1::2]] == [(x,) for x in range(1, 500, 2)]


# -- generators -------------------------------------------------------------------------------------------------------


def test_generators_of_both_kinds_run_side_by_side_and_a_plain_one_keeps_its_thread(wide):
    with ThreadPoolExecutor(MOST) as threads:
        streams = [wide.stream if x % 2 else wide.a_stream for x in range(MOST)]
        found = list(threads.map(lambda stream: list(stream.remote_gen(200)), streams))
    for items in found:
        assert [x for x, *_ in items] == list(range(200))
        assert len({thread for _, thread, *_ in items}) == 1
        assert len({ids for _, _, ids, _ in items}) == 1
        assert {flavour for *_, flavour in items} == {"of the enter hook"}
    on_main = {items[0][1] for items in found[::2]}
    assert len(on_main) == 1
    assert len({items[0][1] for items in found[1::2]} - on_main) == MOST // 2


def test_a_generator_that_nobody_reads_takes_its_slot_and_no_more(tmp_path):
    variant = Wide.with_concurrency(max_inputs=2)(folder=str(tmp_path))
    for stream in (variant.endless, variant.a_endless):
        items = iter(stream.remote_gen())
        assert next(items) == 0
        assert list(variant.quick.map(range(300))) == list(range(300))
        assert [next(items) for _ in range(200)] == list(range(1, 201))
        items.close()
    assert variant.quick.remote(1) == 1


# -- calls from inside ------------------------------------------------------------------------------------------------


def test_inputs_side_by_side_call_others_and_keep_their_names(wide):
    calls = [(wide.call if x % 2 else wide.a_call).remote.aio(x) for x in range(40)]
    found = all_of(*calls)
    assert [value for value, _ in found] == [2 * x for x in range(40)]
    assert len({ids for _, ids in found}) == 40


def test_a_call_to_the_own_pool_runs_in_a_slot_beside_its_caller(tmp_path):
    variant = Wide.with_concurrency(max_inputs=MOST + 1)(folder=str(tmp_path))
    found = all_of(
        *((variant.meet_and_call if x % 2 else variant.a_meet_and_call).remote.aio(x) for x in range(MOST))
    )
    assert found == list(range(MOST))


def test_where_all_slots_wait_for_one_the_youngest_call_is_told_and_the_others_go_on(wide):
    found = all_of(
        *((wide.meet_and_call if x % 2 else wide.a_meet_and_call).remote.aio(x) for x in range(MOST))
    )
    errors = [error for error in found if isinstance(error, DeadlockError)]
    assert len(errors) == 1
    assert "Wide.quick can never start: its pool is at max_containers=1" in str(errors[0])
    assert sorted(x for x in found if isinstance(x, int)) == sorted(
        x for x in range(MOST) if found[x] is not errors[0]
    )


# -- how many containers ----------------------------------------------------------------------------------------------


@pytest.fixture
def aiming(tmp_path, notes):
    instance = Aiming(folder=str(tmp_path))
    yield instance
    notes.open()
    instance.update_autoscaler(min_containers=0)


def test_the_autoscaler_aims_at_the_target_and_bursts_fill_up_to_the_most(aiming, notes):
    aiming.update_autoscaler(min_containers=4)
    aiming.wait_for(containers=4, state="idle", timeout=60)
    calls = [aiming.a_hold.spawn(x) for x in range(8)]
    until(lambda: notes.by_container() == [2, 2, 2, 2])
    calls += [aiming.a_hold.spawn(x) for x in range(8)]
    until(lambda: notes.by_container() == [4, 4, 4, 4])
    notes.open()
    assert len({call.get()[1] for call in calls}) == 4


@pytest.mark.parametrize(("target", "containers"), [(None, 2), (4, 2), (2, 4), (1, 6)])
def test_as_many_containers_start_as_the_target_says(home, tmp_path, notes, target, containers):
    variant = Aiming.with_options(max_containers=6).with_concurrency(max_inputs=4, target_inputs=target)
    instance, before = variant(folder=str(tmp_path)), {pool.pool for pool in home.pools("Aiming")}
    calls = [instance.a_hold.spawn(x) for x in range(8)]

    def started():
        (pool,) = [pool for pool in home.pools("Aiming") if pool.pool not in before]
        return len(pool.containers)

    until(lambda: len(notes.of("begin")) == 8)
    until(lambda: started() == containers)
    notes.open()
    assert {call.get()[0] for call in calls} == set(range(8))
    assert started() == containers


# -- numbers that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"max_inputs": -1}, "`max_inputs` must be at least 1, not -1"),
        ({"max_inputs": 1.5}, "`max_inputs` must be an int"),
        ({"max_inputs": True}, "`max_inputs` must be an int"),
        ({"max_inputs": 2, "target_inputs": 0}, "`target_inputs` must be at least 1, not 0"),
        (
            {"max_inputs": 2, "target_inputs": 3},
            "`target_inputs` (3) cannot be greater than `max_inputs` (2)",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused_on_the_class_and_on_a_variant(given, sentence):
    for make in (lambda: modal.concurrent(**given), lambda: Wide.with_concurrency(**given)):
        with pytest.raises(InvalidError) as caught:
            make()
        assert str(caught.value).startswith(sentence)
