"""An amount of the machine, in whole numbers so that sums stay exact."""

from __future__ import annotations

from dataclasses import dataclass

from modal_nb.spec.resources import MachineLimit, Resources


@dataclass(frozen=True, slots=True)
class Share:
    """Containers, cores and memory: of one container, of all of them, or of the whole limit."""

    containers: int = 0
    #: thousandths of a core
    cpu: int = 0
    #: MiB
    memory: int = 0

    @staticmethod
    def of(resources: Resources) -> Share:
        """What one container with these requests takes."""
        return Share(1, round((resources.cpu or 0) * 1000), resources.memory or 0)

    @staticmethod
    def whole(machine: MachineLimit) -> Share:
        return Share(machine.containers, round(machine.cpu * 1000), machine.memory)

    def __add__(self, other: Share) -> Share:
        return Share(self.containers + other.containers, self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Share) -> Share:
        return Share(self.containers - other.containers, self.cpu - other.cpu, self.memory - other.memory)

    def __mul__(self, times: int) -> Share:
        return Share(self.containers * times, self.cpu * times, self.memory * times)

    def within(self, room: Share) -> bool:
        """Only what it asks for has to be there: a container without a memory request fits a full memory."""
        return not self.lacking(room)

    def lacking(self, room: Share) -> str:
        """Which part of ``room`` is too small: "containers", "cpu", "memory", or "" if it fits."""
        for name in ("containers", "cpu", "memory"):
            asked = getattr(self, name)
            if asked and asked > getattr(room, name):
                return name
        return ""
