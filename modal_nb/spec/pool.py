"""A pool as the supervisor knows it: data only, nothing of the user's code."""

from __future__ import annotations

from dataclasses import dataclass

from modal_nb.spec.limits import Limits
from modal_nb.spec.resources import Resources
from modal_nb.spec.retries import RetryPolicy
from modal_nb.spec.scaling import Autoscaler, Batching, Concurrency


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """One autoscaled set of containers: (app, class, options, parameters)."""

    #: canonical; equal keys in one app are the same pool
    key: str
    #: the same without the class digest: a new key of a known lineage replaces the old pool
    lineage: str
    #: the class name, for people
    service: str
    autoscaler: Autoscaler = Autoscaler()
    concurrency: Concurrency = Concurrency()
    limits: Limits = Limits()
    resources: Resources = Resources()
    #: None: what fails has failed
    retries: RetryPolicy | None = None
    #: the methods that get lists, by name; a call names its own by the place in here, from 1 on
    batching: tuple[tuple[str, Batching], ...] = ()
    #: containers start from the state that ``enter(snap=True)`` hooks made
    snapshot: bool = False
