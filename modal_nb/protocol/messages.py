"""The contents of the messages between client, supervisor and container: one record per msg_type.

``to_builtins`` and ``convert`` of msgspec turn them into the JSON content of a Jupyter message and back; a content
that does not fit raises ``msgspec.ValidationError``, which the receiving side reports as a refused message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from modal_nb.protocol.stream import PAYLOAD_BOUND
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.scaling import Autoscaler

PROTOCOL = 1


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A message content; ``MSG_TYPE`` is its Jupyter message type."""

    def content(self) -> Any:
        return msgspec.to_builtins(self)


class Hello(Content, frozen=True, kw_only=True):
    """The first message on every stream, signed with the key that the role holds."""

    #: "client"; of a container: "call" and "control" (its streams) or "nested" (its code calls others)
    role: str
    protocol: int = PROTOCOL
    pid: int = 0
    version: str = ""
    #: of a client: names it for as long as its process lives, over all its connections
    session: str = ""
    #: for containers
    container: int = 0
    token: str = ""


class Welcome(Content, frozen=True, kw_only=True):
    client: int = 0
    protocol: int = PROTOCOL
    version: str = ""
    pid: int = 0
    #: names the supervisor's life: part of every id
    epoch: str = ""
    #: bytes of the arguments of one input; more is refused before it is sent
    payload_bound: int = PAYLOAD_BOUND


class Launch(Content, frozen=True, kw_only=True):
    """With what a container of this pool is started (D1a: what it inherits from its caller)."""

    executable: str
    cwd: str
    sys_path: list[str]
    environ: dict[str, str]
    #: the values of ``env`` and secrets: kept in memory only, given to no other class
    variables: dict[str, str] = {}


class AppStop(Content, frozen=True, kw_only=True):
    """Answered when no container of the app is left."""

    app: int


class PoolOpen(Content, frozen=True, kw_only=True):
    """The one buffer of this message is the LOAD body for the containers, opaque here."""

    app: int
    spec: PoolSpec
    #: None, from inside a container: as it was declared for (name, digest), else as for the caller's own pool
    launch: Launch | None = None
    name: str = ""
    digest: str = ""
    #: in place of the declared ones
    variables: dict[str, str] | None = None
    #: options that are set, by name; what the back end does not honour is refused
    options: list[str] = []
    #: frames in the LOAD body
    load_parts: int = 0
    #: for people: the parameters of its instances, and what with_options and the like changed
    parameters: str = ""
    variant: str = ""
    #: of a deployed app: the version that was looked up, 0: a reference to this very digest
    version: int = 0
    #: refuse it when a newer version is deployed, so that the opener looks it up again
    follows: bool = False


class ClassDeclare(Content, frozen=True, kw_only=True):
    """A class to which a reference travels. The one buffer is what a container needs to open its pools, opaque here."""

    app: int
    name: str
    digest: str
    #: None, from inside a container: as for the caller's own pool
    launch: Launch | None
    variables: dict[str, str]


class ClassAsk(Content, frozen=True, kw_only=True):
    """From inside a container: a class that was declared, in the own app or in another one of the same owner."""

    app_name: str | None
    name: str
    digest: str


class ClassFound(Content, frozen=True, kw_only=True):
    """The one buffer is what was declared."""

    app: int
    app_id: str
    app_name: str
    #: hex: what the caller signs with
    key: str
    deployed: bool = False


class AppInside(Content, frozen=True, kw_only=True):
    """From inside a container: which app and which pool this is."""


class Inside(Content, frozen=True, kw_only=True):
    app: int
    app_id: str
    app_name: str
    pool: int
    spec: PoolSpec
    #: the app is a deployed one
    deployed: bool = False


class PoolOpened(Content, frozen=True, kw_only=True):
    pool: int


class AutoscalerUpdate(Content, frozen=True, kw_only=True):
    """What is UNSET stays as it is. ``follows`` as for PoolOpen."""

    pool: int
    follows: bool = False
    min_containers: int | msgspec.UnsetType = msgspec.UNSET
    max_containers: int | msgspec.UnsetType | None = msgspec.UNSET
    buffer_containers: int | msgspec.UnsetType = msgspec.UNSET
    scaledown_window: int | msgspec.UnsetType = msgspec.UNSET


class PoolAsk(Content, frozen=True, kw_only=True):
    """``follows`` as for PoolOpen."""

    pool: int
    follows: bool = False


class AutoscalerSettings(Content, frozen=True, kw_only=True):
    settings: Autoscaler


class PoolStats(Content, frozen=True, kw_only=True):
    """Modal's four numbers; and seconds until a start that is wanted is tried, because others failed: else 0.0."""

    backlog: int
    num_total_runners: int
    num_running_inputs: int
    input_headroom: int
    start_backoff: float = 0.0


class ContainerStop(Content, frozen=True, kw_only=True):
    #: "ct-..."
    id: str
    kill: bool = False


class ContainerAsk(Content, frozen=True, kw_only=True):
    """One more container of this pool now; refused with a sentence where there cannot be one."""

    pool: int


class WatchAsk(Content, frozen=True, kw_only=True):
    """From now on, and until the next such request: REPORT packets of these pools, of all of these apps, or of all."""

    pools: list[int] = []
    apps: list[int] = []
    everything: bool = False
    deployed: list[tuple[str, str]] = []  # (environment, name), also of what is not deployed yet
    listed: bool = False  # other REPORT packets list the apps, at once and whenever the list changes


class StatusAsk(Content, frozen=True, kw_only=True):
    pass


class SupervisorStop(Content, frozen=True, kw_only=True):
    """Drain everything and end; answered at once."""


class Done(Content, frozen=True, kw_only=True): ...


class ContainerStatus(Content, frozen=True, kw_only=True):
    id: str
    state: str
    pid: int
    age: float
    served: int
    connection_file: str
    log: str
    cause: str = ""
    #: seconds of the phases of its start that are over, and how its process came to be, in words; seconds that it is
    #: aside, None: it is not; inputs for it alone
    start: dict[str, float] = {}
    way: str = ""
    aside: float | None = None
    pinned: int = 0


class PoolStatus(Content, frozen=True, kw_only=True):
    service: str
    pool: int
    queued: int
    running: int
    autoscaler: Autoscaler
    why: str
    containers: list[ContainerStatus]
    #: the part of a report that ``supervisor/modes.py`` makes, and its "now"
    modes: dict[str, Any] = {}


class AppStatus(Content, frozen=True, kw_only=True):
    id: str
    name: str
    #: 0: it is deployed
    client_pid: int
    pools: list[PoolStatus]
    #: of a deployed app
    environment: str = ""
    version: int = 0
    #: its notebook's kernel has ended
    gone: bool = False


class Status(Content, frozen=True, kw_only=True):
    pid: int
    version: str
    home: str
    uptime: float
    clients: int
    #: messages that were refused since the start: not signed, cut wrong, not allowed
    refused: int
    machine: MachineLimit
    containers: int
    apps: list[AppStatus]


class Refusal(Content, frozen=True, kw_only=True):
    """The answer to a request that cannot be met."""

    #: the name of a class in modal_nb.exception
    error: str
    message: str


class CallRequest(Content, frozen=True, kw_only=True):
    """One input or a chunk; arguments travel in the buffers."""

    method: str
    #: "fc-...": the function call
    call: str
    #: which of the call's inputs is the first one of this message
    first: int = 0
    chunk: bool = False
    #: called for a generator's items
    stream: bool = False


class Failure(Content, frozen=True, kw_only=True):
    """The supervisor's word on an input that ended without an answer of the user's code."""

    #: a scheduler.effects.FailureKind
    kind: str
    seconds: float = 0.0
    times: int = 0
    #: one clause: how the container ended
    cause: str = ""
    cause_kind: str = ""
    code: int | None = None
    signal: int | None = None
    #: bytes; 0: not known
    peak: int = 0
    limit: int = 0
    container: str = ""
    log_tail: list[str] = []
