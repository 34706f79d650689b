"""The panel's state: what reports and differences make of it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modal_nb.protocol.reports import difference
from modal_nb.views.pool_model import PoolModel
from tests.views.reports import container, report, stories


def model_of(*reports):
    model = PoolModel()
    model.replace("connected", "", {one["pool"]: one for one in reports})
    return model


@given(stories(), st.data())
def test_differences_in_any_number_of_copies_give_the_last_report(told, data):
    model = model_of(told[0])
    for old, new in pairwise(told):
        diff = difference(old, new)
        if diff is not None:
            assert [model.apply(diff) for _ in range(data.draw(st.integers(1, 3)))].count(True) == 1
    assert {**model.pools[3], "now": 0} == {**told[-1], "now": 0}


@given(stories())
def test_what_is_in_a_whole_report_already_is_not_put_in_again(told):
    model = model_of(told[-1])
    for old, new in pairwise(told):
        diff = difference(old, new)
        assert diff is None or not model.apply(diff)
    assert model.pools[3] == told[-1]


def test_a_difference_of_an_unknown_pool_changes_nothing():
    model = model_of(report(3))
    assert not model.apply({"pool": 4, "now": 99.0, "queued": 1})
    assert list(model.pools) == [3]


def test_the_state_lists_the_pools_by_number():
    model = model_of(report(7), report(3))
    model.connection, model.message = "lost", "gone"
    assert model.state() == {
        "pools": [report(3), report(7)],
        "connection": "lost",
        "message": "gone",
        "apps": [],
    }


def test_the_state_some_time_after_the_newest_report_is_the_same_at_a_later_moment():
    model = model_of(report(7, now=30.0), report(3, now=20.0))
    assert [pool["now"] for pool in model.state(5.0)["pools"]] == [25.0, 35.0]
    assert (model.now, model.pools[7]["now"]) == (30.0, 30.0)
    # without a connection it is how it was
    model.connection = "lost"
    assert [pool["now"] for pool in model.state(5.0)["pools"]] == [20.0, 30.0]


def test_only_a_living_container_of_the_pool_is_found():
    model = model_of(report(3, containers=[container("a"), container("b", state="dead")]), report(4))
    assert model.container(3, "a")["id"] == "a"
    assert not any([model.container(3, "b"), model.container(4, "a"), model.container(9, "a")])
    assert not any([model.container(3, None), model.container(3, ["a"])])
