"""How an app is opened, and what a notebook that comes back is told of the app that lingered for it."""

from __future__ import annotations

from modal_nb.protocol.messages import Content


class AppOpen(Content, frozen=True, kw_only=True):
    """From the client that it lives and dies with."""

    name: str
    #: hex, made by the client; signs what travels between it and its containers, also after a restart of the supervisor
    key: str
    #: whose it is when its client goes, and for how many seconds its containers linger then; "" and 0.0: they do not
    notebook: str = ""
    linger: float = 0.0
    #: an app of this notebook and name that lingers may be taken over in its place
    adopts: bool = False


class AppOpened(Content, frozen=True, kw_only=True):
    """The answer."""

    app: int
    id: str
    #: hex; of an app that was taken over the key that its containers know
    key: str
