"""The numbers that are ours to choose: graces, bounds and thresholds, all times in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """One record for all of them, so that a test or a settings file can change one."""

    #: inputs that may wait in one pool (a chunk counts whole)
    queue_bound: int = 100_000
    #: between CancelInput and KillContainer
    cancel_grace: float = 1.0
    #: between StopContainer and KillContainer, and for running inputs at shutdown
    stop_grace: float = 30.0
    #: a pool whose messages run shorter than this may fetch one ahead
    short: float = 0.005
    #: a chunk that runs longer, or an input that waits longer behind another, is called back
    recall_after: float = 0.05
    #: idle containers of a replaced pool are stopped after this
    retired_window: float = 2.0
    #: after the start budget is spent: the first wait and the longest
    back_off_first: float = 1.0
    back_off_last: float = 60.0
    #: an idle container gives way to a pool that only wants more, not to one that starves, after this
    give_way_after: float = 2.0
    #: where pools outnumber places, a pool's only container serves this long before another's turn
    turn: float = 5.0
    #: two reports of one pool are at least this far apart
    report_every: float = 0.1
