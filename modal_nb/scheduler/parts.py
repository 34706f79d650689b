"""Chunks whose first inputs have results while another one of them runs on."""

from __future__ import annotations

from modal_nb.scheduler import attempts
from modal_nb.scheduler.effects import ReplyPart
from modal_nb.scheduler.events import PartFinished
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.sending import shorten


def finished(ledger: Ledger, event: PartFinished, now: float) -> None:
    """What is through is told at once, and never runs again whatever becomes of the rest."""
    found = attempts.heard(ledger, event)
    if found is None:
        return
    container, input = found
    count = event.done - input.answered
    if input.over or not 0 < count < input.count:
        return
    container.served += count
    input.answered = event.done
    shorten(input, input.count - count)
    if input.count == 1:
        attempts.last_runs(ledger, container, input, now)
    ledger.out.append(ReplyPart(input.number, count))
    ledger.touch(input.pool, now)
