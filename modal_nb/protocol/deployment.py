"""The contents of messages about deployed apps and stored calls; a floor with ``messages``, which has the others."""

from __future__ import annotations

from modal_nb.protocol.messages import Content, Launch, PoolOpen

#: the environment that every home has
MAIN = "main"


class DeployKeyAsk(Content, frozen=True, kw_only=True):
    """What LOAD messages of the next version of this app are to be signed with."""

    environment: str
    app_name: str


class DeployKey(Content, frozen=True, kw_only=True):
    #: hex; the same for all versions of the app
    key: str


class DeployedClass(Content, frozen=True, kw_only=True):
    """One class or function of a version; its buffer is what a client needs to open its pools, opaque here."""

    name: str
    digest: str
    launch: Launch
    variables: dict[str, str]
    #: options that are set, by name; what the back end does not honour is refused
    options: list[str]
    #: False: only referred to by the others, found by no name
    named: bool = True


class Deploy(Content, frozen=True, kw_only=True):
    """A new version of an app. The buffers: one for each class, then the LOAD bodies of ``pools``."""

    environment: str
    app_name: str
    #: hex, from a DeployKey
    key: str
    tag: str
    #: "rolling" or "recreate"
    strategy: str
    #: of the interpreter that made it, "3.12"
    python: str
    classes: list[DeployedClass]
    #: opened at once, and whenever a supervisor starts; their ``app`` means nothing
    pools: list[PoolOpen]


class Deployed(Content, frozen=True, kw_only=True):
    app: int
    id: str
    version: int


class DeployedAppsAsk(Content, frozen=True, kw_only=True):
    #: "": of all
    environment: str = ""


class DeployedApp(Content, frozen=True, kw_only=True):
    """One version of a deployed app."""

    environment: str
    name: str
    version: int
    #: "live", "old" or "stopped"
    state: str
    tag: str
    #: seconds since the epoch
    created: float
    python: str
    #: names of its classes and functions
    classes: list[str]


class DeployedApps(Content, frozen=True, kw_only=True):
    """All versions, the newest of an app first."""

    apps: list[DeployedApp]


class DeployedAppStop(Content, frozen=True, kw_only=True):
    """Answered when no container of the app is left."""

    environment: str
    app_name: str


class EnvironmentCreate(Content, frozen=True, kw_only=True):
    name: str


class EnvironmentsAsk(Content, frozen=True, kw_only=True):
    pass


class Environments(Content, frozen=True, kw_only=True):
    names: list[str]


class ClassLookup(Content, frozen=True, kw_only=True):
    """A class of a deployed app by name: a LookedUp. ``version`` 0: the newest; ``name`` "": only the app."""

    environment: str
    app_name: str
    name: str
    version: int = 0


class LookedUp(Content, frozen=True, kw_only=True):
    """The one buffer is what was deployed; none if only the app was asked for."""

    app: int
    app_id: str
    #: hex: what the caller signs with
    key: str
    version: int
    #: of the interpreter that it was deployed from
    python: str


class CallAsk(Content, frozen=True, kw_only=True):
    """A call that the supervisor keeps."""

    call: str


class CallFound(Content, frozen=True, kw_only=True):
    """What it takes to open the results of a kept call."""

    environment: str
    app_name: str
    #: hex
    key: str
    method: str
    #: class and method, for people
    label: str
    inputs: int


class CallListAsk(Content, frozen=True, kw_only=True):
    #: the newest ones
    limit: int = 100


class StoredCall(Content, frozen=True, kw_only=True):
    id: str
    app_name: str
    environment: str
    #: class and method, for people
    function: str
    #: seconds since the epoch
    created: float
    inputs: int
    #: of them: without an outcome; with the method's result; all others
    pending: int
    succeeded: int
    failed: int


class CallList(Content, frozen=True, kw_only=True):
    calls: list[StoredCall]


class CallCancel(Content, frozen=True, kw_only=True):
    """``indexes``: these inputs, none: all. ``terminate``: kill the containers that run them."""

    call: str
    indexes: list[int]
    terminate: bool = False


class SpawnHead(Content, frozen=True, kw_only=True):
    """The first frame of a SPAWN packet, in front of the message for the container."""

    #: "fc-..."
    call: str
    index: int
    method: str
