"""What a container may reach: its proxy, no network at all, or no calls back to modal_nb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from modal_nb.spec import checks


@dataclass(frozen=True, slots=True)
class Proxy:
    """A fixed way out to the internet, kept by name."""

    name: str
    environment_name: str | None = None

    @staticmethod
    def from_name(name: str, *, environment_name: str | None = None) -> Proxy:
        """A proxy by name; nothing is looked up before a pool that uses it is first used."""
        return Proxy(checks.object_name("Proxy", name), environment_name)

    def __repr__(self) -> str:
        return f"<Proxy {self.name}>"


@dataclass(frozen=True, slots=True)
class Network:
    """The network options of one pool."""

    proxy: Proxy | None = None
    #: user code has no network at all
    block_network: bool = False
    #: user code may not use modal_nb: no nested calls, no stores
    restrict_modal_access: bool = False
    #: a private network between containers
    i6pn: bool = False

    @classmethod
    def declared(
        cls,
        *,
        proxy: Any = None,
        block_network: Any = False,
        restrict_modal_access: Any = False,
        i6pn: Any = False,
    ) -> Network:
        """The options as users write them; InvalidError names what does not fit."""
        return cls(
            proxy=None if proxy is None else checks.instance("proxy", proxy, Proxy),
            block_network=checks.boolean("block_network", block_network),
            restrict_modal_access=checks.boolean("restrict_modal_access", restrict_modal_access),
            i6pn=checks.boolean("i6pn", i6pn),
        )
