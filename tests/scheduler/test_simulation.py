"""Thousands of seeded histories, and faults put into the scheduler that they must find."""

from __future__ import annotations

import os
import typing
from collections import Counter

import pytest

from modal_nb.scheduler import effects as fx
from modal_nb.scheduler import events as ev
from modal_nb.scheduler.scheduler import Scheduler
from tests.scheduler.audit import Broken
from tests.scheduler.faults import FAULTS
from tests.scheduler.history import History
from tests.scheduler.mutants import mutant

#: MODAL_NB_HISTORIES=100000 for the deep run, MODAL_NB_FIRST_SEED to go on where another one ended
HISTORIES = int(os.environ.get("MODAL_NB_HISTORIES", "5000"))
FIRST_SEED = int(os.environ.get("MODAL_NB_FIRST_SEED", "0"))
PARTS = 10
#: a fault must show within so many histories: most do at once, some need a rare coincidence
SEEDS_PER_FAULT = 4000


def live(seed: int, scheduler: type[Scheduler] = Scheduler) -> History:
    """One history; its seed is named when it fails."""
    try:
        return History(seed, scheduler).run()
    except Exception as error:
        error.add_note(f"seed {seed}: History({seed}).run() in tests/scheduler/history.py shows it again")
        raise


@pytest.mark.timeout(0 if HISTORIES > 5000 else 300)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_a_promise(part):
    size = HISTORIES // PARTS
    for seed in range(FIRST_SEED + part * size, FIRST_SEED + (part + 1) * size):
        live(seed)


def test_the_histories_reach_every_event_effect_and_failure():
    seen: Counter[object] = Counter()
    for seed in range(600):
        for _, event, effects in live(seed).world.log:
            seen[type(event)] += 1
            seen.update(type(effect) for effect in effects)
            seen.update(effect.kind for effect in effects if isinstance(effect, fx.FailInput))
    wanted = [*typing.get_args(ev.Event), *typing.get_args(fx.Effect), *fx.FailureKind]
    assert not [name for name in wanted if not seen[name]]


def test_a_seed_gives_the_same_history_again():
    first, again = live(7), live(7)
    assert repr(first.world.log) == repr(again.world.log)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_histories_find_the_fault(fault):
    scheduler = mutant(fault)
    for seed in range(SEEDS_PER_FAULT):
        try:
            live(seed, scheduler)
        except (Broken, AssertionError, KeyError, IndexError, ValueError, RuntimeError) as error:
            print(f"{fault}: seed {seed}: {type(error).__name__}: {error}")
            return
    pytest.fail(f"{SEEDS_PER_FAULT} histories did not notice: {fault}")
