"""Every answer is given out once, in order or as it comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from modal_nb.client.sequence import Sequencer


def give(sequencer: Sequencer, pieces: list[tuple[int, int]]) -> list[int]:
    given_out = []
    for first, count in pieces:
        answers = [(True, index) for index in range(first, first + count)]
        given_out += [value for piece in sequencer.accept(first, answers) for _, value in piece]
    return given_out


@st.composite
def arrivals(draw):
    """Pieces of 0..n-1 in any order, some of them twice."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=10))
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    pieces = list(zip(starts, sizes, strict=True))
    again = draw(st.lists(st.sampled_from(pieces), max_size=5))
    return sum(sizes), draw(st.permutations(pieces + again))


@given(arrivals())
def test_in_order_whatever_the_order_of_arrival(case):
    total, pieces = case
    assert give(Sequencer(ordered=True), pieces) == list(range(total))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8)), max_size=30), st.booleans())
def test_pieces_that_overlap_give_each_once(pieces, ordered):
    """A chunk may be cut in other places when it is sent again."""
    sequencer = Sequencer(ordered=ordered)

    got = give(sequencer, [*pieces, (0, 30)])

    assert sorted(got) == list(range(30))
    assert got == sorted(got) or not ordered
    assert sequencer.given == 30


@given(arrivals())
def test_as_they_come_each_once(case):
    total, pieces = case
    sequencer = Sequencer(ordered=False)
    assert sorted(give(sequencer, pieces)) == list(range(total))
    assert sequencer.given == total


def test_as_they_come_nothing_waits_for_another():
    assert give(Sequencer(ordered=False), [(3, 2), (0, 1)]) == [3, 4, 0]


def test_in_order_an_early_answer_waits():
    sequencer = Sequencer(ordered=True)
    assert give(sequencer, [(1, 2)]) == []
    assert give(sequencer, [(0, 1)]) == [0, 1, 2]
