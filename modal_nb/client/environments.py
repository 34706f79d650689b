"""Which environment is meant: a namespace of deployed apps, Dicts and Queues in one home."""

from __future__ import annotations

import os

from modal_nb.protocol.deployment import MAIN
from modal_nb.spec import checks


def environment_name(given: str | None) -> str:
    """The given one, else MODAL_NB_ENVIRONMENT, else "main". InvalidError for what is no name."""
    if given is None:
        return os.environ.get("MODAL_NB_ENVIRONMENT") or MAIN
    return checks.object_name("Environment", given)
