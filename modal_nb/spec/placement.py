"""Where containers may run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.spec import checks


@dataclass(frozen=True, slots=True)
class Placement:
    """The placement options of one pool; hosts answer to ``cloud`` and ``region`` by their labels."""

    cloud: str | None = None
    #: any of these
    region: tuple[str, ...] = ()
    routing_region: str | None = None
    #: never ended for somebody else's sake
    nonpreemptible: bool = False

    @classmethod
    def declared(
        cls, *, cloud: Any = None, region: Any = None, routing_region: Any = None, nonpreemptible: Any = False
    ) -> Placement:
        """The options as users write them; InvalidError names what does not fit."""
        return cls(
            cloud=None if cloud is None else checks.text("cloud", cloud),
            region=regions(region),
            routing_region=None if routing_region is None else checks.text("routing_region", routing_region),
            nonpreemptible=checks.boolean("nonpreemptible", nonpreemptible),
        )


def regions(value: Any) -> tuple[str, ...]:
    """One region or a list of them."""
    if value is None:
        return ()
    return (checks.text("region", value),) if isinstance(value, str) else checks.texts("region", value)
