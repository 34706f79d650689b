"""Differences of reports: applied to the first report, one after the other, they give the last one."""

from __future__ import annotations

import copy
from itertools import pairwise

from hypothesis import given

from modal_nb.protocol.reports import MOST_POINTS, applied, difference
from tests.views.reports import container, report, stories


@given(stories())
def test_the_first_report_and_all_differences_give_the_last_report(told):
    known = told[0]
    for old, new in pairwise(told):
        diff = difference(old, new)
        if diff is None:
            assert {**old, "now": 0} == {**new, "now": 0}
        else:
            before = copy.deepcopy(known)
            after = applied(known, diff)
            assert known == before, "what is known to others was changed"
            known = after
    assert {**known, "now": told[-1]["now"]} == told[-1]


@given(stories())
def test_a_difference_holds_nothing_that_has_not_changed(told):
    for old, new in pairwise(told):
        diff = difference(old, new) or {}
        for key in set(diff) - {"pool", "now", "containers", "history"}:
            assert old[key] != new[key]
        for changed in diff.get("containers", {}).get("set", ()):
            assert changed not in old["containers"]


def test_time_alone_is_no_difference():
    assert difference(report(now=1.0), report(now=2.0)) is None


def test_a_container_that_changed_comes_whole_and_one_that_went_by_its_id():
    old = report(containers=[container("a"), container("b", born=11.0)])
    new = report(now=21.0, containers=[container("b", born=11.0, state="busy")])
    assert difference(old, new) == {
        "pool": 3,
        "now": 21.0,
        "containers": {"set": [container("b", born=11.0, state="busy")], "gone": ["a"]},
    }


def test_a_new_key_is_a_difference_and_a_long_history_stays_bounded():
    old = report(history=[[n, 0, 0, 0] for n in range(1, MOST_POINTS + 1)])
    new = report(now=99.0, history=[*old["history"][1:], [9999.0, 1, 0, 0]], extra=1)
    diff = difference(old, new)
    assert (diff["extra"], diff["history"]) == (1, {"add": [[9999.0, 1, 0, 0]]})
    assert applied(old, diff) == new
