"""What a panel shows, as plain data: it takes reports and differences in and gives the widget's state out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from modal_nb.protocol.reports import Diff, Report, applied


@dataclass(slots=True)
class PoolModel:
    """One panel's pools, and how the connection to the supervisor is."""

    #: "connecting", "connected", "lost" or "ended"
    connection: str = "connecting"
    #: one sentence for people
    message: str = ""
    pools: dict[int, Report] = field(default_factory=dict)
    #: those of deployed apps, or of everything, are shown by app, in this order
    apps: Sequence[dict[str, Any]] = ()

    def replace(
        self,
        connection: str,
        message: str,
        pools: dict[int, Report],
        apps: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Everything is as said here, whatever was known before."""
        self.connection, self.message, self.pools, self.apps = connection, message, dict(pools), apps

    def apply(self, diff: Diff) -> bool:
        """Put a difference in. False: it is in already, or of a pool that is not known; then the whole comes, too."""
        known = self.pools.get(diff["pool"])
        if known is None or diff["now"] <= known["now"]:
            return False
        self.pools[diff["pool"]] = applied(known, diff)
        return True

    @property
    def now(self) -> float:
        """The moment of the newest report, in the supervisor's seconds."""
        return max((report["now"] for report in self.pools.values()), default=0.0)

    def state(self, later: float = 0.0) -> dict[str, Any]:
        """The value of the widget's ``report`` trait, ``later`` seconds after the newest report: nothing has changed
        since but the time, from which a page counts ages up and a back-off down.
        """
        later = later if self.connection == "connected" else 0.0
        return {
            "pools": [self.pools[n] | {"now": self.pools[n]["now"] + later} for n in sorted(self.pools)],
            "connection": self.connection,
            "message": self.message,
            "apps": list(self.apps),
        }

    def container(self, pool: int, identity: Any) -> dict[str, Any] | None:
        """A container that lives in this pool, as far as is known."""
        report = self.pools.get(pool)
        for container in () if report is None else report["containers"]:
            if container["id"] == identity and container["state"] != "dead":
                found: dict[str, Any] = container
                return found
        return None
