"""The thread that waits for one result, and answers what is asked meanwhile."""

from __future__ import annotations

from modal_nb.client.calls import Waiter


class Asked:
    """A question; ``then`` happens while the person thinks."""

    def __init__(self, then=lambda: None):
        self.answers = 0
        self._then = then

    def answer(self):
        self.answers += 1
        self._then()


def test_what_was_asked_is_answered_in_turn_and_not_after_the_result():
    waiter, result = Waiter(), object()
    questions = [Asked(), Asked(lambda: waiter.deliver(None, result)), Asked()]
    for question in questions:
        waiter.ask(question)
    assert waiter.wait() is result
    assert [question.answers for question in questions] == [1, 1, 0]
