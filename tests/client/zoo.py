"""A class that declares a bit of everything, for the tests of what is declared."""

from __future__ import annotations

import pytest

import modal_nb as modal

built = []


@pytest.fixture
def app():
    built.clear()
    return modal.App("zoo")


@pytest.fixture
def served(app):
    @app.cls(max_containers=2, secrets=[modal.Secret.from_dict({"TOKEN": "hush"})])
    class Model:
        """A model."""

        FLAVOUR = "vanilla"
        size: int = modal.parameter(default=3)
        tag: str = modal.parameter(default="t")

        @modal.enter()
        def load(self):
            built.append("entered")

        @modal.method()
        def predict(self, x):
            """Predict x."""
            return x * self.size

        @modal.method()
        async def later(self): ...

        @modal.method()
        def items(self):
            yield 1

        def helper(self):
            return self.size

        @property
        def doubled(self):
            return 2 * self.size

    return Model
