"""Batched methods: callers give single values, the method gets lists, and each caller has its own answer."""

from __future__ import annotations

import asyncio
import os

import pytest

import modal_nb as modal
from modal_nb.exception import InvalidError
from tests.e2e.batches import FOR_EVER, MOST, AsyncPatient, Beside, Hurried, Notes, Patient, Plain, app
from tests.e2e.home import until

BATCH = 3
Batched = Plain.with_batching(max_batch_size=BATCH, wait_ms=FOR_EVER)


@pytest.fixture(scope="module", autouse=True)
def running(home):
    with app.run():
        yield


@pytest.fixture
def notes(tmp_path):
    return Notes(tmp_path)


@pytest.fixture
def lists(tmp_path):
    """An instance whose methods get lists of exactly three."""
    return Batched(folder=str(tmp_path))


def together(*calls):
    """The outcomes of calls that are made at the same time."""

    async def gathered():
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(gathered())


@pytest.fixture(params=[Patient, AsyncPatient], ids=["plain", "async"])
def patient(request, tmp_path):
    """An instance whose batches wait until they are full."""
    return request.param(folder=str(tmp_path))


# -- when a batch leaves ----------------------------------------------------------------------------------------------


def test_a_full_batch_leaves_at_once_however_long_it_might_have_waited(patient, notes):
    assert together(*(patient.square.remote.aio(x) for x in range(MOST))) == [x * x for x in range(MOST)]
    assert notes.sizes() == [MOST]


def test_one_that_is_not_full_waits_for_more(patient, notes, home):
    first = [patient.square.spawn(x) for x in range(MOST - 1)]
    until(lambda: home.pools(type_of(patient))[-1].queued == MOST - 1)
    assert notes.sizes() == []
    assert patient.square.remote(10) == 100
    assert [call.get() for call in first] == [x * x for x in range(MOST - 1)]
    assert notes.sizes() == [MOST]


def type_of(instance):
    return instance.__modal__.declaration.name


def test_a_lone_input_is_answered_though_its_batch_is_never_full(tmp_path, notes):
    hurried = Hurried(folder=str(tmp_path))
    assert [hurried.square.remote(x) for x in range(5)] == [x * x for x in range(5)]
    assert notes.sizes() == [1] * 5


@pytest.mark.parametrize("rest", range(MOST))
def test_while_the_queue_is_long_all_batches_are_full(tmp_path, notes, rest):
    variant = Patient.with_batching(max_batch_size=MOST, wait_ms=1)
    patient = variant(folder=str(tmp_path))
    first = patient.square.spawn("gate")
    until(notes.sizes)
    calls = [patient.square.spawn(x) for x in range(10 * MOST + rest)]
    until(lambda: patient.square.get_current_stats().backlog == 10 * MOST + rest)
    notes.open()
    assert first.get() == "gate"
    assert [call.get() for call in calls] == [x * x for x in range(10 * MOST + rest)]
    assert notes.sizes() == [1] + [MOST] * 10 + [rest] * bool(rest)
    sent = [word for line in notes.lines()[1:] for word in line[1:]]
    assert sent == [str(x) for x in range(10 * MOST + rest)]


def test_without_a_wait_nothing_waits(tmp_path, notes):
    variant = Hurried.with_batching(max_batch_size=MOST, wait_ms=0)
    assert variant(folder=str(tmp_path)).square.remote(3) == 9
    assert notes.sizes() == [1]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_map_of_2000_inputs_is_right_and_in_order(tmp_path, notes, size):
    variant = Hurried.with_batching(max_batch_size=size, wait_ms=5)
    assert list(variant(folder=str(tmp_path)).square.map(range(2000))) == [x * x for x in range(2000)]
    assert sum(notes.sizes()) == 2000
    assert max(notes.sizes()) <= size
    assert sorted(int(x) for line in notes.lines() for x in line[1:]) == list(range(2000))


def test_over_several_containers_too(tmp_path, notes):
    variant = Hurried.with_options(max_containers=3)
    found = variant(folder=str(tmp_path)).square.map(range(2000), order_outputs=False)
    assert sorted(found) == sorted(x * x for x in range(2000))
    assert max(notes.sizes()) <= MOST
    assert sum(notes.sizes()) == 2000


# -- lists in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["combine", "a_combine"])
def test_callers_name_arguments_or_do_not_and_share_a_batch(lists, notes, name):
    method = getattr(lists, name).remote.aio
    assert together(method(1, 2, c=3), method(b=20, a=10, c=30), method(100, c=300, b=200)) == [
        (1, 2, 3),
        (10, 20, 30),
        (100, 200, 300),
    ]
    assert notes.sizes() == [3]


@pytest.mark.parametrize("name", ["combine", "a_combine"])
@pytest.mark.parametrize(
    ("wrong", "named", "problem"),
    [
        ((1, 2), {}, "missing 'c'"),
        ((1,), {}, "missing 'b', 'c'"),
        ((), {"b": 2, "c": 3}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1, 2), {"c": 3, "d": 4}, "got an unexpected keyword argument 'd'"),
    ],
)
def test_one_caller_that_does_not_give_every_parameter_fails_the_batch(
    lists, notes, name, wrong, named, problem
):
    method = getattr(lists, name).remote.aio
    found = together(method(1, 2, c=3), method(*wrong, **named), method(4, 5, c=6))
    assert [type(error) for error in found] == [InvalidError] * 3
    for error in found:
        assert f"{type_of(lists)}.{name} is batched: every caller gives every parameter (a, b, c)" in str(
            error
        )
        assert problem in str(error)
    assert notes.sizes() == []
    assert together(*(method(x, x, c=x) for x in range(3))) == [(x, x, x) for x in range(3)]


# -- a list out -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["as_told", "a_as_told"])
@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        ((1, 2, 3), "it must return a list with one result for each input, not a tuple"),
        (None, "not a NoneType"),
        ({"a": 1}, "not a dict"),
        ("abc", "not a str"),
        ([1, 2], "it got 3 and returned 2"),
        ([], "it got 3 and returned 0"),
        ([1, 2, 3, 4], "it got 3 and returned 4"),
    ],
    ids=repr,
)
def test_what_is_no_list_of_the_right_length_fails_the_batch(lists, name, result, sentence):
    method = getattr(lists, name).remote.aio
    found = together(*(method(result) for _ in range(3)))
    assert [type(error) for error in found] == [InvalidError] * 3
    assert all(sentence in str(error) for error in found)
    assert together(*(method([1, 2, 3]) for _ in range(3))) == [1, 2, 3]


@pytest.mark.parametrize("name", ["as_told", "a_as_told"])
def test_an_exception_is_raised_to_every_caller_as_one_of_its_own(lists, name):
    method = getattr(lists, name).remote.aio
    found = together(*(method(LookupError("for all", x)) for x in range(3)))
    # which of them came first is not promised
    assert {(type(error), *error.args) for error in found} == {(LookupError, "for all", found[0].args[1])}
    assert len({id(error) for error in found}) == 3
    for error in found:
        frames = []
        trace = error.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert "as_told" in frames


@pytest.mark.parametrize("name", ["as_told", "a_as_told"])
def test_sys_exit_is_an_exception_for_every_caller_and_the_container_lives_on(lists, name):
    before = together(*(lists.where.remote.aio(x) for x in range(3)))
    method = getattr(lists, name).remote.aio

    async def code(x):
        try:
            await method(x)
        except SystemExit as error:  # it would end the loop
            return error.code

    assert together(*(code("exit") for _ in range(3))) == [3] * 3
    assert together(*(lists.where.remote.aio(x) for x in range(3))) == before


@pytest.mark.parametrize("name", ["make", "a_make"])
def test_a_result_that_cannot_travel_fails_alone(lists, name):
    method = getattr(lists, name).remote.aio
    one, lock, generator = together(method("one"), method("lock"), method("generator"))
    assert one == "one"
    assert type(lock) is TypeError
    assert f"result of {type_of(lists)}.{name} (a _thread.lock) cannot be pickled" in str(lock)
    assert type(generator) is InvalidError
    assert list(getattr(lists, name).map(["a", "lock", "c"], return_exceptions=True))[::2] == ["a", "c"]


# -- every way to call ------------------------------------------------------------------------------------------------


def test_every_way_to_call(tmp_path, notes):
    method = Hurried(folder=str(tmp_path)).square
    squares = [x * x for x in range(40)]
    assert list(method.starmap([(x,) for x in range(40)])) == squares
    assert list(method.map([1, 2])) == [1, 4]
    calls = [method.spawn(x) for x in range(40)]
    assert modal.FunctionCall.gather(*calls) == squares
    call = method.experimental_spawn_map(range(40))
    assert list(call.iter()) == squares
    method.for_each(range(40))
    method.spawn_map(range(100, 140))
    until(lambda: sum(notes.begun(x) for x in range(100, 140)) == 40)

    async def mapped():
        return [x async for x in method.map.aio(range(40))]

    assert asyncio.run(mapped()) == squares
    assert max(notes.sizes()) <= MOST


def test_keywords_of_a_map_go_to_every_call(lists):
    assert list(lists.combine.map(range(6), kwargs={"b": 1, "c": 2})) == [(x, 1, 2) for x in range(6)]


def test_local_runs_the_method_as_it_is_written(tmp_path):
    hurried = Hurried(folder=str(tmp_path))
    os.environ["MODAL_TASK_ID"] = "ct-here"
    try:
        assert hurried.square.local([1, 2, 3]) == [1, 4, 9]
    finally:
        del os.environ["MODAL_TASK_ID"]


# -- variants ---------------------------------------------------------------------------------------------------------


def test_with_batching_batches_each_method_for_itself(lists, notes):
    calls = [lists.combine.spawn(x, x, c=x) for x in range(2)] + [lists.ids.spawn(x) for x in range(2)]
    until(lambda: lists.ids.get_current_stats().backlog == 4)
    assert notes.sizes() == []
    calls += [lists.ids.spawn(2), lists.combine.spawn(2, 2, c=2)]
    for call in calls:
        call.get()
    assert sorted(map(tuple, notes.lines())) == [("3", "combine"), ("3", "ids")]


def test_generators_of_such_a_class_stay_as_they_are(lists):
    assert list(lists.items.remote_gen(3)) == [0, 1, 2]


def test_the_original_is_not_batched_and_has_a_pool_of_its_own(tmp_path, lists):
    assert Plain(folder=str(tmp_path)).combine.remote([1], [2], c=[3]) == [(1, 2, 3)]
    ((there, _),) = {*together(*(lists.where.remote.aio(x) for x in range(3)))}
    assert Plain(folder=str(tmp_path)).where.remote([0])[0][0] != there


def test_a_variant_of_a_batched_class_has_other_sizes_and_the_last_one_counts(tmp_path, notes):
    variant = Patient.with_batching(max_batch_size=9, wait_ms=1).with_batching(
        max_batch_size=2, wait_ms=FOR_EVER
    )
    assert list(variant(folder=str(tmp_path)).square.map(range(10))) == [x * x for x in range(10)]
    assert notes.sizes() == [2] * 5


# -- side by side -----------------------------------------------------------------------------------------------------


def test_with_concurrency_as_many_batches_run_at_a_time(tmp_path, notes):
    beside = Beside(folder=str(tmp_path))
    found = list(beside.square.map(range(1000)))
    assert [x for x, _ in found] == [x * x for x in range(1000)]
    assert max(peak for _, peak in found) == 3
    assert max(notes.sizes()) <= MOST


def test_without_it_a_plain_batch_runs_on_the_main_thread(lists):
    assert {main for _, main in together(*(lists.where.remote.aio(x) for x in range(3)))} == {True}
    variant = Batched.with_concurrency(max_inputs=2)(folder=lists.folder)
    assert {main for _, main in together(*(variant.where.remote.aio(x) for x in range(3)))} == {False}


# -- names ------------------------------------------------------------------------------------------------------------


def test_its_code_runs_in_the_name_of_the_first_input(lists):
    calls = [lists.ids.spawn(x) for x in range(3)]
    first = calls[0].object_id
    assert [call.get() for call in calls] == [(first, f"in-{first.removeprefix('fc-')}-0")] * 3
    found = list(lists.ids.map(range(6)))
    assert len({call for call, _ in found}) == 1
    assert [name.rpartition("-")[2] for _, name in found] == ["0", "0", "0", "3", "3", "3"]
