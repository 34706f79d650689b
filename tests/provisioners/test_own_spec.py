"""Where modal_nb is importable but not installed, the kernelspec in the code stands in for the one on disk."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_client.provisioning.factory import KernelProvisionerFactory

from modal_nb.provisioners import launch
from modal_nb.provisioners.local import LocalContainerProvisioner

ON_DISK = Path(__file__).parents[2] / "kernels" / "local" / "kernel.json"


def test_both_specs_start_a_container_alike():
    on_disk = json.loads(ON_DISK.read_text(encoding="utf-8"))
    own = launch._OWN_SPEC
    assert own["argv"] == on_disk["argv"]
    assert own["interrupt_mode"] == on_disk["interrupt_mode"]
    assert own["metadata"]["kernel_provisioner"] == on_disk["metadata"]["kernel_provisioner"]


def test_without_an_installation_the_own_spec_is_used(tmp_path, monkeypatch):
    nowhere = launch._Specs(kernel_dirs=[str(tmp_path)])
    monkeypatch.setattr(launch, "_specs", lambda: nowhere)
    monkeypatch.setattr(KernelProvisionerFactory.instance(), "provisioners", {})
    assert launch.prepare() is LocalContainerProvisioner
