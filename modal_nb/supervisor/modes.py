"""How the inputs of one pool run (side by side, in batches, again when they failed) and what has come of it: the part
of a report that tells of what only some pools have.
"""

from __future__ import annotations

from math import inf
from typing import Any

from modal_nb.scheduler.reports import PoolStats
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.retries import RetryPolicy


def slots(spec: PoolSpec) -> int:
    """What one container of this pool runs at a time; a batch counts as one."""
    return 1 if spec.limits.single_use else spec.concurrency.max_inputs


def modes(spec: PoolSpec, stats: PoolStats, now: float) -> dict[str, Any]:
    """Plain values. Nothing in it changes by the passing of time alone, but that ``back_off`` goes when it is over."""
    most = slots(spec)
    return {
        "concurrency": {
            "max_inputs": most,
            "target_inputs": min(most, spec.concurrency.target_inputs or most),
        },
        "batching": [
            {"method": method, "max_batch_size": batching.max_batch_size, "wait_ms": batching.wait_ms}
            for method, batching in spec.batching
        ],
        "batches": {"count": stats.batches, "inputs": stats.batched},
        "retries": None if spec.retries is None else _retries(spec.retries),
        "retried": stats.retried,
        "postponed": stats.postponed,
        "back_off": _back_off(stats, now),
        "lingers": _lingers(stats),
    }


def _retries(policy: RetryPolicy) -> dict[str, Any]:
    return {
        "max_retries": policy.max_retries,
        "initial_delay": policy.initial_delay,
        "backoff_coefficient": policy.backoff_coefficient,
        "max_delay": policy.max_delay,
    }


def _lingers(stats: PoolStats) -> dict[str, Any] | None:
    """Its notebook went: until when its containers stay, and whether the notebook is back without having used it."""
    if stats.lingers_until == inf or not stats.num_total_runners:
        return None
    return {"until": round(stats.lingers_until, 6), "back": stats.back}


def _back_off(stats: PoolStats, now: float) -> dict[str, Any] | None:
    """Why a wanted container is not started: how long the wait is, and when it is over, in the report's own seconds."""
    if stats.held_until <= now:
        return None
    return {"seconds": stats.back_off, "until": round(stats.held_until, 6)}
