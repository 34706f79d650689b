"""One more container because somebody asks for it: kept like one of the buffer until it was idle for the window."""

from __future__ import annotations

from modal_nb.scheduler import placement, reports
from modal_nb.scheduler.ledger import Ledger
from modal_nb.scheduler.pool import Pool


def refusal(ledger: Ledger, number: int) -> str:
    """Why this pool cannot have one more now, as a sentence; "" if it can."""
    pool = ledger.pools.get(number)
    return "this pool is gone" if pool is None else _refusal(ledger, pool)


def grant(ledger: Ledger, number: int, now: float) -> None:
    """Launch it, if that is still possible."""
    pool = ledger.pools.get(number)
    if pool is not None and not _refusal(ledger, pool):
        placement.launch(ledger, pool, now).wished = True


def _refusal(ledger: Ledger, pool: Pool) -> str:
    settings = pool.settings
    if pool.closing or ledger.closing:
        return "the app is stopping: nothing starts any more"
    if pool.retired:
        return "this pool was replaced by a newer definition of its class: start one there"
    if settings.max_containers is not None and pool.had >= settings.max_containers:
        if pool.serving < settings.max_containers:
            return "a container is still ending: ask again when it is gone"
        return f"at max_containers={settings.max_containers}: raise it to start more"
    if not pool.request.within(ledger.limit - ledger.used - placement.not_for(pool)):
        return reports.machine(ledger, pool)
    if any(other.starves() for other in ledger.wanting if other is not pool):
        return "another pool has inputs and no container: the next place is for it"
    return ""
