"""Copies of the scheduler with one fault put into their source each: what the simulation must notice."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import modal_nb.scheduler
from modal_nb.scheduler.scheduler import Scheduler

_ROOM = Path(modal_nb.scheduler.__file__).parent
#: the copies speak with the world in the original records
_SHARED = ("events", "effects")

#: name of the fault: module, what stands there, what the fault puts there instead
FAULTS: dict[str, tuple[str, str, str]] = {
    "crashes not counted": ("attempts", "input.crashes += 1", "input.crashes += 0"),
    "budget off by one": ("attempts", "input.crashes > input.pool", "input.crashes >= input.pool"),
    "fence not checked": ("attempts", "or input.attempt != event.attempt", ""),
    "attempt not raised": ("attempts", "input.attempt += 1", "input.attempt = 1"),
    "requeue forgotten": (
        "attempts",
        "            requeue(ledger, input)\n    container.held.clear()",
        "            pass",
    ),
    "double reply": (
        "attempts",
        "            ledger.out.append(ReplyInput(input.number))\n        elif",
        "            ledger.out += [ReplyInput(input.number), ReplyInput(input.number)]\n        elif",
    ),
    "late result of a failed input passed on": (
        "attempts",
        "    if not input.over:\n        if event",
        "    if 1:\n        if event",
    ),
    "what is called back is lost": ("attempts", "        requeue(ledger, rest)", "        pass"),
    "a chunk that timed out runs again before it has ended": (
        "attempts",
        "        input.splitting = True\n    else:",
        "        input.pool.queue.push_front(input)\n    else:",
    ),
    "maximum ignored": ("pool", "min(wanted, cap - len(self.containers))", "wanted"),
    "ending containers not counted": ("pool", "cap - len(self.containers)", "cap - self.serving"),
    "minimum forgotten": ("autoscaler", "max(demand.settings.min_containers, ", "max(0, "),
    "machine limit ignored": ("placement", "if pool.request.within(room - not_for(pool)):", "if True:"),
    "place not given back": ("stops", "    ledger.used -= pool.request\n", ""),
    "nobody gives way": ("placement", "if idle is None:\n            break", "if True:\n            break"),
    "free container overlooked": (
        "turns",
        "    attempts.place(ledger, pool, now)\n    ledger.touch",
        "    ledger.touch",
    ),
    "new container gets nothing": ("scheduler", "            attempts.place(self._ledger, container.pool, now)\n", ""),
    "timeout never due": ("attempts", "now + input.pool.spec.limits.timeout * input.count", "inf"),
    "ignored cancel is borne": (
        "timers",
        '            stops.kill(ledger, container, "an input did not end when it was cancelled", now)\n',
        "",
    ),
    "startup timeout ignored": ("timers", "if container.start_deadline <= now", "if False"),
    "stop sent to a busy container": ("stops", "if container.held or container.stopped", "if container.stopped"),
    "idle containers kept for ever": (
        "apps",
        "        stops.drain(ledger, oldest",
        "        break\n        (ledger, oldest",
    ),
    "single use forgotten": ("turns", "elif pool.spec.limits.single_use:", "elif False:"),
    "start budget ignored": (
        "starts",
        "    if pool.start_failures < pool",
        "    if True or pool.start_failures < pool",
    ),
    "fetched ahead beside a free container": (
        "pool",
        "        if self.free:\n",
        "        if self.free and not self.full:\n",
    ),
    "two fetched ahead": ("pool", "elif held == self.slots and", "elif held >= self.slots and"),
    "waiting inputs of a stopped app left": (
        "apps",
        "    attempts.fail_waiting(ledger, pool, FailureKind.APP_STOPPED)\n",
        "    pass\n",
    ),
    "callers keep their places": ("nesting", "change = pool.request * (-1", "change = pool.request * (0"),
    "who goes on takes no place": ("nesting", "(-1 if blocked else 1)", "(-1 if blocked else 0)"),
    "callers multiply in the places they leave": (
        "pool",
        "if self.blocked and self.queue.nested > self.serving - self.ready:",
        "if self.blocked:",
    ),
    "calls of an attempt that has ended are still waited for": (
        "nesting",
        "            child.parent = None\n        input.children.clear()",
        "            pass",
    ),
    "a part of a nested call forgotten": ("attempts", "        nesting.join(rest, input.parent)", "        pass"),
    "deadlocks not looked for": ("settling", "deadlocks.resolve(ledger, input, now)", "pass"),
    "deadlocks looked for in blocked containers only": (
        "settling",
        "                if nesting.waits(input):",
        "                if container.blocked:",
    ),
    "a container that starts taken for blocked": (
        "deadlocks",
        "all(container.blocked for",
        "all(container.blocked or not container.ready for",
    ),
    "a lowered maximum closes a circle unseen": ("apps", "    nesting.look_again(ledger, pool)\n", ""),
    "a lost container closes a circle unseen": ("turns", "    nesting.look_again(ledger, pool)\n", ""),
    "queue bound ignored": ("scheduler", "> ledger.rules.queue_bound", "< 0"),
}  # fmt: skip


def mutant(fault: str) -> type[Scheduler]:
    """The Scheduler of a copy of the room that has this fault."""
    module, old, new = FAULTS[fault]
    room = "mutant_" + re.sub(r"\W", "_", fault)
    package = ModuleType(room)
    package.__path__ = []
    sys.modules[room] = package
    sources = {path.stem: path.read_text(encoding="utf-8") for path in _ROOM.glob("*.py")}
    assert sources[module].count(old) == 1, f"{old!r} must stand exactly once in {module}.py"
    sources[module] = sources[module].replace(old, new)
    loader = _Loader(room, sources)
    return loader.load("scheduler").Scheduler


class _Loader:
    """Loads each module of the copy after those it imports."""

    def __init__(self, room: str, sources: dict[str, str]) -> None:
        self.room, self.sources = room, sources

    def load(self, name: str) -> ModuleType:
        full = f"{self.room}.{name}"
        if full in sys.modules:
            return sys.modules[full]
        source = self._renamed(self.sources[name])
        for other in re.findall(rf"^from {self.room}\.(\w+) import", source, re.MULTILINE):
            self.load(other)
        for line in re.findall(rf"^from {self.room} import (.*)$", source, re.MULTILINE):
            for other in line.split(", "):
                setattr(sys.modules[self.room], other, self.load(other))
        spec = importlib.util.spec_from_loader(full, loader=None)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full] = module
        exec(compile(source, full, "exec"), module.__dict__)
        return module

    def _renamed(self, source: str) -> str:
        kept = "|".join(_SHARED)
        source = re.sub(rf"modal_nb\.scheduler\.(?!{kept})", f"{self.room}.", source)
        return source.replace("from modal_nb.scheduler import", f"from {self.room} import")
