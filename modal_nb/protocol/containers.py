"""What clients ask about single containers and single calls: which there are, what they run, what a call waits for."""

from __future__ import annotations

import msgspec

from modal_nb.protocol.messages import Content


class ContainersAsk(Content, frozen=True, kw_only=True):
    """The containers of a pool that take inputs, or will."""

    pool: int


class RunningInput(Content, frozen=True, kw_only=True):
    """What a container runs, as far as a supervisor knows it."""

    #: of the supervisor, and seconds since it was sent there
    number: int
    seconds: float
    #: more than one: a chunk
    count: int = 1
    #: as far as it is known: bodies are closed; and of the asker's own calls its reference
    method: str = ""
    call: int = 0


class FoundContainer(Content, frozen=True, kw_only=True):
    """One of the containers that were asked for."""

    #: for packets that name a container
    number: int
    #: "ct-..."
    id: str
    state: str
    connection_file: str
    age: float
    #: seconds of the phases of its start that are over: snapshot, launch, imports, enter, total
    start: dict[str, float] = msgspec.field(default_factory=dict)
    #: how its process came to be, in words
    way: str = ""
    #: its pool does without it while somebody looks inside; and inputs for this very container
    aside: bool = False
    pinned: int = 0
    running: list[RunningInput] = msgspec.field(default_factory=list)


class ContainersFound(Content, frozen=True, kw_only=True):
    """In the order of their launch."""

    containers: list[FoundContainer]


class WaitAsk(Content, frozen=True, kw_only=True):
    """Why these calls of the asker, by its references, have no outcome."""

    calls: list[int]


class Starting(Content, frozen=True, kw_only=True):
    """A container on its way."""

    id: str
    #: "launch", "imports" or "enter", and seconds since it began
    phase: str
    seconds: float
    #: seconds of the phases before
    start: dict[str, float] = msgspec.field(default_factory=dict)


class Short(Content, frozen=True, kw_only=True):
    """What the machine has too little of for one more container: "containers", "cpu" or "memory" (MiB)."""

    what: str
    asked: float
    free: float
    limit: float


class CallWait(Content, frozen=True, kw_only=True):
    """One call. Of a chunk that was cut, the part that is furthest."""

    call: int
    #: "running", "fetched" (its container runs another one first), "pinned" (in line for its container), "gathering"
    #: (its batch fills), "retrying" (its next attempt is not due) or "queued"
    state: str
    #: running: since it was sent; gathering and retrying: until it goes on
    seconds: float = 0.0
    #: where it runs, or will; and what runs there before it
    container: str = ""
    behind: list[RunningInput] = msgspec.field(default_factory=list)
    #: inputs before it
    ahead: int = 0
    #: attempts that failed
    failures: int = 0
    #: of its pool: the limit, whether it is reached, containers that run something, that start, that are aside
    max_containers: int | None = None
    at_maximum: bool = False
    busy: int = 0
    starting: list[Starting] = msgspec.field(default_factory=list)
    aside: int = 0
    short: Short | None = None
    #: seconds until a start is tried again, because others failed; 0: nothing is held back
    back_off: float = 0.0
    #: as reports say it
    why: str = ""


class WaitTold(Content, frozen=True, kw_only=True):
    """Of those that have no outcome and are known here."""

    waits: list[CallWait]
