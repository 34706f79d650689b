"""Nested calls: who waits for whom. Bookkeeping only: no effects, ``settling`` draws the consequences."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from modal_nb.scheduler.containers import Container
from modal_nb.scheduler.inputs import Input
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool
from modal_nb.spec.lifecycle import ContainerState


def adopt(ledger: Ledger, input: Input, number: int) -> None:
    """The code of input ``number`` has made this one. Ignored when that one is over, or runs nowhere any more."""
    parent = ledger.inputs.get(number)
    if parent is None or parent.container is None or parent.ahead:
        return
    input.nested = True
    join(input, parent)
    parent.container.calling = True
    ledger.unsettled[parent.container] = None


def join(input: Input, parent: Input) -> None:
    """``parent`` waits for this one too."""
    input.parent = parent
    if parent.children is None:
        parent.children = {}
    parent.children[input] = None


def let_go(input: Input) -> None:
    """The attempt that made these calls has ended: if it runs again, it makes new ones."""
    if input.children:
        for child in input.children:
            child.parent = None
        input.children.clear()


def ended(ledger: Ledger, input: Input) -> None:
    """It has its outcome: its caller may go on."""
    moved(ledger, input)
    if input.children and input.container is not None:
        ledger.unsettled[input.container] = None
    let_go(input)
    if input.parent is not None and input.parent.children is not None:
        del input.parent.children[input]
        input.parent = None


def moved(ledger: Ledger, input: Input) -> None:
    """It is not where it was: that may matter to the container that waits for it."""
    if input.parent is not None and input.parent.container is not None:
        ledger.unsettled[input.parent.container] = None


def look_again(ledger: Ledger, pool: Pool) -> None:
    """The pool may have fewer containers now, or has one less: its blocked ones may be all there will ever be."""
    for container in pool.containers.values():
        if container.blocked:
            ledger.unsettled[container] = None


def _code(input: Input) -> Input | None:
    """In whose name its code makes calls. Of a batch it is one for all, and all of it waits for these calls."""
    return input.batch.code if input.batch is not None else input


def awaited(input: Input) -> Iterator[Input]:
    """What its code waits for: its nested calls without an outcome, but for generators that wait for it to read."""
    code = _code(input)
    children = code.children if code is not None else None
    return (child for child in children or () if child.left == inf)


def waits(input: Input) -> bool:
    """It runs and can only go on after a nested call has. Not so what is asked to end, or waits for its own reader."""
    code = _code(input)
    return (
        code is not None
        and bool(code.children)
        and not code.over
        and not code.cancelling
        and code.left == inf
        and any(True for _ in awaited(code))
    )


def refresh(ledger: Ledger) -> None:
    """Bring the books of all unsettled containers up to date; called before places are given out."""
    for container in ledger.unsettled:
        if container.state is ContainerState.DEAD:
            continue
        container.calling = any(input.children for input in container.held.values())
        running = list(container.running()) if container.calling and not container.killed else []
        blocked = bool(running) and all(waits(input) for input in running)
        if blocked is not container.blocked:
            container.blocked = blocked
            _change_place(ledger, container)


def _change_place(ledger: Ledger, container: Container) -> None:
    """A blocked container leaves its place to what it waits for. When it goes on it takes one, be there room or not."""
    pool, blocked = container.pool, container.blocked
    change = pool.request * (-1 if blocked else 1)
    ledger.used += change
    if container.serving and not container.aside:
        pool.blocked += 1 if blocked else -1
        pool.relist(container)
    elif not container.serving:
        ledger.ending += change
    ledger.crowded = ledger.crowded or not blocked
