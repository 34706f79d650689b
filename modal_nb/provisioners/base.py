"""What every back end declares beyond Jupyter's own KernelProvisioner."""

from __future__ import annotations

from typing import ClassVar

from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from modal_nb.spec.lifecycle import CauseKind, ExitCause
from modal_nb.spec.resources import MachineLimit

#: options that the supervisor cannot keep alone: a back end lists those that it honours, the others are
#: refused
BACK_END_OPTIONS = frozenset(
    {
        "image",
        "env",
        "secrets",
        "gpu",
        "network_file_systems",
        "volumes",
        "cpu",
        "cpu_limit",
        "memory",
        "memory_limit",
        "ephemeral_disk",
        "proxy",
        "cloud",
        "region",
        "nonpreemptible",
        "enable_memory_snapshot",
        "block_network",
        "restrict_modal_access",
    }
)


class LaunchFailed(OSError):
    """No container came to be; the message names what is wrong and what to do."""


class ContainerProvisioner(KernelProvisionerBase):
    """A KernelProvisioner that can say what it can do. Containers are launched through its subclasses
    only.
    """

    #: the names out of BACK_END_OPTIONS that containers of this back end keep; asked before anything is
    #: launched
    honours: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def machine(cls) -> MachineLimit:
        """What all containers of this back end may use together. Asked when the supervisor starts; may
        block.
        """
        raise NotImplementedError

    def exit_cause(self) -> ExitCause:
        """What the back end itself knows of the end. Asked after ``wait``, when the guard said nothing."""
        return ExitCause(CauseKind.UNKNOWN)
