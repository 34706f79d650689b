"""Which apps a watching client has asked for, and what it is told of them."""

from __future__ import annotations

from collections.abc import Iterable

from modal_nb.protocol import messages as ms
from modal_nb.protocol.reports import Report
from modal_nb.supervisor.records import App, Client


def wanted(client: Client, asked: ms.WatchAsk, app: App) -> bool:
    """Whether the client has asked for this app, and may look at it."""
    if client.container is not None and not client.may_use(app):
        return False
    if asked.everything or app.number in asked.apps:
        return True
    deployment = app.deployment
    return deployment is not None and (deployment.environment, app.name) in asked.deployed


def listed(client: Client, asked: ms.WatchAsk, apps: Iterable[App]) -> list[Report]:
    """Those apps, as a REPORT packet lists them."""
    return [_entry(app) for app in apps if wanted(client, asked, app)]


def _entry(app: App) -> Report:
    """``pid``: of the process that it lives and dies with; 0: it is deployed, and the other fields say what. ``gone``:
    that process has ended, and what is warm lingers.
    """
    deployment = app.deployment
    return {
        "id": app.id,
        "name": app.name,
        "pid": app.owner.pid if app.owner else 0,
        "gone": app.orphaned,
        "environment": deployment.environment if deployment else "",
        "version": deployment.version if deployment else 0,
        "classes": sorted(deployment.named) if deployment else [],
    }
