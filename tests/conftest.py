"""What tests with a real supervisor share: a home folder of their own, and the proof that nothing is left of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.e2e.home import MARK, Home

# a machine that stands still for a moment is no fault of what is tested
settings.register_profile(
    "modal_nb",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # the same examples each time, unless somebody looks for new ones
    derandomize="MODAL_NB_EXAMPLES" not in os.environ,
)
settings.load_profile("modal_nb")


@pytest.fixture(scope="module")
def machine() -> dict[str, str]:
    """Settings of the module's supervisor; a module with other limits has a fixture of this name."""
    return {"MODAL_NB_MAX_CONTAINERS": "8"}


@pytest.fixture(scope="module")
def home(machine: dict[str, str]) -> Iterator[Home]:
    """A private MODAL_NB_HOME for this module; at its end nothing of it may live."""
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder, pytest.MonkeyPatch.context() as patch:
        found = Home(Path(folder))
        patch.setenv("MODAL_NB_HOME", folder)
        patch.setenv(MARK, found.mark)
        # numerical libraries of containers shall not start a thread for each core of the machine
        patch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        for name, value in machine.items():
            patch.setenv(name, value)
        try:
            yield found
        finally:
            found.close()
