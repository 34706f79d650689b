from __future__ import annotations

import pytest

from tests.chaos.history import History, Outcome, Run, expected, judge, reruns


def good():
    """Three inputs: one plain, one whose container was killed under it, one whose reply was lost."""
    return History(
        invoked={"a": 0, "b": 0, "c": 0},
        outcomes=[Outcome(name, 100, expected(name)) for name in "abc"],
        runs=[
            Run("a", "ct-1", 10, 20),
            Run("b", "ct-2", 10),
            Run("b", "ct-3", 40, 50),
            Run("c", "ct-2", 5, 9),
            Run("c", "ct-1", 60, 70),
        ],
        deaths={"ct-2": 15},
    )


def test_a_good_history_breaks_no_promise():
    assert judge(good()) == []
    assert reruns(good()) == 2


def drop(history):
    history.outcomes.pop(0)


def double(history):
    history.outcomes.append(Outcome("a", 120, expected("a")))


def double_with_an_error(history):
    history.outcomes.append(Outcome("a", 120, error="ContainerCrashedError"))


def wrong(history):
    history.outcomes[0] = Outcome("a", 100, 1)


def of_a_neighbour(history):
    history.outcomes[0] = Outcome("a", 100, expected("b"))


def fail(history):
    history.outcomes[1] = Outcome("b", 100, error="ContainerCrashedError")


def unasked_outcome(history):
    history.outcomes.append(Outcome("d", 100, expected("d")))
    history.runs.append(Run("d", "ct-1", 71, 72))
    del history.runs[-1]


def out_of_nothing(history):
    del history.runs[0]


def too_early(history):
    history.outcomes[0] = Outcome("a", 15, expected("a"))


def unasked_run(history):
    history.runs.append(Run("d", "ct-1", 80, 90))


def run_before_asked(history):
    history.invoked["a"] = 11


def broken_off_alone(history):
    history.deaths.clear()


def twice_at_a_time(history):
    history.runs.append(Run("a", "ct-3", 15, 25))


def again_before_the_kill(history):
    history.runs[2] = Run("b", "ct-3", 14, 50)


def a_dead_one_ends_late(history):
    history.runs[1] = Run("b", "ct-2", 10, 45)


def first_and_third_at_a_time(history):
    history.runs[0] = Run("a", "ct-1", 10, 60)
    history.runs += [Run("a", "ct-3", 61, 62), Run("a", "ct-4", 11, 12)]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop, ["a is lost: it has no outcome"]),
        (double, ["a has 2 outcomes"]),
        (double_with_an_error, ["a has 2 outcomes", "a failed: ContainerCrashedError"]),
        (wrong, [f"a is wrong: 1 in place of {expected('a')}"]),
        (of_a_neighbour, [f"a is wrong: {expected('b')} in place of {expected('a')}"]),
        (fail, ["b failed: ContainerCrashedError"]),
        (
            unasked_outcome,
            [
                "d has an outcome and nobody asked for it",
                "d was answered before any run of it was through",
            ],
        ),
        (out_of_nothing, ["a was answered before any run of it was through"]),
        (too_early, ["a was answered before any run of it was through"]),
        (unasked_run, ["d ran and nobody asked for it"]),
        (run_before_asked, ["a ran before it was asked for"]),
        (broken_off_alone, ["b broke off in ct-2, which nobody killed"]),
        (twice_at_a_time, ["a ran twice at a time, in ct-1 and ct-3"]),
        (again_before_the_kill, ["b ran twice at a time, in ct-2 and ct-3"]),
        (a_dead_one_ends_late, ["b ran twice at a time, in ct-2 and ct-3"]),
        (first_and_third_at_a_time, ["a ran twice at a time, in ct-1 and ct-4"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_bad_history_is_told_by_name(spoil, said):
    history = good()
    spoil(history)
    assert judge(history) == said
