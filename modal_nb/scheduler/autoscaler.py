"""How many containers a pool should have: a context record in, a number out."""

from __future__ import annotations

from dataclasses import dataclass

from modal_nb.spec.scaling import Autoscaler


@dataclass(slots=True)
class Demand:
    """All that the number depends on."""

    settings: Autoscaler
    #: inputs one container is meant to run at a time; full batches where there are batches
    target_inputs: int
    #: inputs that wait or run in containers that stay
    load: int
    #: inputs came or ended within the scale-down window
    active: bool
    #: containers among those it has that serve nobody but who looks into them
    pinned: int = 0


def desired_containers(demand: Demand) -> int:
    """Containers that the pool should have now; those that start count as had."""
    settings = demand.settings
    number = -(-demand.load // demand.target_inputs)
    if demand.active:
        number += settings.buffer_containers
    if number:  # what is pinned starts nothing by itself; but what comes beside it needs others
        number += demand.pinned
    number = max(number, settings.min_containers)
    return number if settings.max_containers is None else min(number, settings.max_containers)
