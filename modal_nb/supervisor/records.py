"""What the supervisor holds of apps, pools, containers and inputs; plain records, no behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from modal_nb.protocol.codec import Codec, Frame
from modal_nb.protocol.messages import Launch
from modal_nb.protocol.stream import Packet
from modal_nb.provisioners.launch import LaunchedContainer
from modal_nb.spec.lifecycle import ExitCause
from modal_nb.spec.pool import PoolSpec
from modal_nb.spec.scaling import Autoscaler

if TYPE_CHECKING:
    from modal_nb.supervisor.gateway import Link
    from modal_nb.supervisor.lease import Lease


class Way(StrEnum):
    """How the process of a container came to be."""

    PLAIN = "plain"
    FORK = "fork"
    SNAPSHOT = "snapshot"


@dataclass(slots=True, eq=False)
class Client:
    """One connected client process."""

    number: int
    pid: int
    link: Link
    #: signs what the supervisor itself says to it
    codec: Codec
    #: its calls that are not over: reference -> input numbers
    calls: dict[int, list[int]] = field(default_factory=dict)
    #: set for code in a container that calls others
    container: Container | None = None
    #: the same for all connections of one client process
    session: str = ""
    #: results may come to it in shared memory
    takes_lent: bool = True

    def may_use(self, app: App) -> bool:
        """Its own apps, or in a container the apps of that container's owner; deployed ones are everybody's."""
        if app.owner is None:
            return True
        if self.container is not None:
            mine = self.container.pool.app
            return mine.owner is app.owner or (app.orphaned and mine.notebook == app.notebook)
        return app.owner is self


@dataclass(slots=True, frozen=True)
class DeclaredClass:
    """A class that containers may open pools of."""

    launch: Launch
    #: closed: for a client to open
    data: Frame


@dataclass(slots=True)
class Deployment:
    """What an app without an owner is, in its newest version."""

    #: its row in the store
    row: int
    environment: str
    version: int
    python: str
    #: classes and functions by name: the digest that the name means now
    named: dict[str, str]


@dataclass(slots=True, eq=False)
class App:
    """An app that runs."""

    number: int
    id: str
    name: str
    #: None: it is deployed
    owner: Client | None
    #: signs what its clients and containers send each other
    codec: Codec
    #: (name, digest) -> what was told of a class to which references travel
    classes: dict[tuple[str, str], DeclaredClass] = field(default_factory=dict)
    #: requests that are answered when the app is gone: (who asked, request number)
    waiting: list[tuple[Client, int]] = field(default_factory=list)
    #: called when no container of it is left
    on_gone: list[Callable[[], None]] = field(default_factory=list)
    deployment: Deployment | None = None
    #: whose it is when its owner goes, for how many seconds what is warm of it lingers then, and whether it does now
    notebook: str = ""
    linger: float = 0.0
    orphaned: bool = False


@dataclass(slots=True, eq=False)
class Pool:
    """What containers of this pool are started with."""

    number: int
    app: App
    spec: PoolSpec
    launch: Launch
    #: the LOAD message of the client, closed; and how many frames it has
    load: Frame
    load_parts: int
    #: as declared, then as ``update_autoscaler`` left it
    autoscaler: Autoscaler
    #: for people: parameters, and changed options
    parameters: str = ""
    variant: str = ""
    #: of a deployed app: the version that it belongs to, and whether a newer one has taken its place
    version: int = 0
    superseded: bool = False
    #: the last START_FAILED packet of one of its containers
    start_failure: Packet | None = None


@dataclass(slots=True, eq=False)
class Container:
    """One container from the wish for it to its end."""

    number: int
    id: str
    pool: Pool
    #: shown by the container in its hello; nobody else knows it
    token: str
    folder: Path
    log: Path
    born: float
    process: LaunchedContainer | None = None
    call: Link | None = None
    control: Link | None = None
    lease: Lease | None = None
    #: the guard's word on how it ended, or ours when we ended it
    cause: ExitCause | None = None
    #: set when we killed it
    killed: str = ""
    #: its enter hooks are through
    ready: bool = False
    #: asked to end, and why
    stopping: bool = False
    stop_reason: str = ""
    #: the container said that its start failed
    start_failed: bool = False
    served: int = 0
    gone: bool = False
    #: how its process comes to be, "" as long as that is not known; and why it starts plainly, if it was to be forked
    way: Way | str = ""
    why_plain: str = ""
    #: this is the process of a snapshot: it is forked, and serves nothing
    template: bool = False
    #: its start: when its parent was there, its process said hello, its class was loaded, it was ready; 0.0: not yet
    origin_at: float = 0.0
    greeted_at: float = 0.0
    loaded_at: float = 0.0
    ready_at: float = 0.0

    @property
    def connection_file(self) -> Path:
        return self.folder / "k.json"


@dataclass(slots=True, eq=False)
class Held:
    """An input (or a chunk of them) whose outcome is not known yet."""

    pool: Pool
    client: Client
    #: the caller's reference
    call: int
    first: int
    count: int
    body: Frame
    parts: int
    #: all inputs of the message: nothing of it is over yet
    whole: bool = True
    #: the attempt that was sent last, and to which container
    attempt: int = 0
    container: int = 0
    #: when that was
    sent_at: float = 0.0
    #: which batched method of the pool it calls, from 1 on; 0: none
    batch: int = 0
    #: it is for this very container
    pinned: Container | None = None
    #: of a generator: how many items its reader allows in all, as it said last; 0: it has not said yet
    allowed: int = 0
