from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modal_nb.container.linux import can_hold_processes
from tests.container.callers import Called
from tests.container.processes import Supervised


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A Unix socket path holds 107 bytes: pytest's own folders may be too deep."""
    with tempfile.TemporaryDirectory(prefix="mnb-") as folder:
        yield Path(folder)


@pytest.fixture(params=["namespace", "sweep"])
def namespace(request: pytest.FixtureRequest) -> bool:
    """Both ways of holding a process tree, where the machine has both."""
    if request.param == "namespace" and not can_hold_processes():
        pytest.skip("this machine allows no process-id namespace")
    return request.param == "namespace"


@pytest.fixture
def supervised(short_folder: Path) -> Iterator[Callable[..., Supervised]]:
    """Makes containers whose lease the test holds; whatever they leave is ended."""
    made: list[Supervised] = []

    def make(asked: str, **options: object) -> Supervised:
        made.append(Supervised(short_folder, asked, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for container in made:
        container.close()


@pytest.fixture
def called(short_folder: Path) -> Iterator[Callable[..., Called]]:
    """Makes containers whose caller is the test."""
    made: list[Called] = []

    def make(cls: type, **options: object) -> Called:
        folder = short_folder / str(len(made))
        folder.mkdir()
        made.append(Called(folder, cls, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for container in made:
        container.close()
