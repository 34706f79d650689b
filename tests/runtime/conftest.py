"""Fixtures of the runtime."""

from __future__ import annotations

import pytest

from tests.runtime.model import installed


@pytest.fixture
def runner():
    """A runner on the main thread; see tests/runtime/model.py."""
    with installed() as made:
        yield made
