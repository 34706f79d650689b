"""Fixtures of the tests of what is declared."""

from __future__ import annotations

from tests.client.zoo import app, served

__all__ = ["app", "served"]
