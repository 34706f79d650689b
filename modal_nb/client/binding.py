"""From an ``Obj`` to the pool that serves it: which one it is, and opening it at the first use.

The class digest is taken again when a cell has run since, so that an edited helper is never answered by old code. The
same code binds in notebooks and in containers: the keys come out alike, so the pool is the same one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from modal_nb.client import classes, introspect, labels, lookups, references, running, secrets
from modal_nb.client.classes import ClassRecord
from modal_nb.client.pool import Pool, load_message
from modal_nb.exception import ExecutionError, InvalidError
from modal_nb.protocol import messages as ms
from modal_nb.protocol.codec import Frame
from modal_nb.runtime.context import process
from modal_nb.runtime.payload import dumps
from modal_nb.spec.cls_spec import parameters_key
from modal_nb.spec.fingerprint import fingerprint

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration
    from modal_nb.client.obj import Instance, Obj
    from modal_nb.client.running import RunningApp

_lock = threading.RLock()

#: the key of a pool, what opens it, and what makes the frames of its LOAD message
Opening = tuple[str, ms.PoolOpen, Callable[[], list[Frame]]]


@dataclass(frozen=True, slots=True)
class Bound:
    """What an instance was bound to, and when."""

    run: RunningApp
    cells: int
    pool: Pool
    #: the pool of the container that this code runs in: bound once and for all
    own: bool = False


def bind(obj: Obj) -> Pool:
    """The pool of this instance, opened if need be; called before each use.

    Errors: ExecutionError when the app does not run; NotFoundError for a class looked up in vain; InvalidError and
    TypeError for constructor arguments; UnsupportedOptionError for what the back end cannot honour.
    """
    instance: Instance = obj.__modal__
    known: Bound | None = instance.pool
    if known is not None and known.own:
        return known.pool
    declaration = _defined(instance.declaration)
    record = None
    if declaration.lookup is not None:
        return _bind_deployed(instance, declaration)
    if declaration.user_cls is None:
        run, record = classes.find(declaration)
    else:
        run = running.current(declaration.app)  # type: ignore[arg-type]
    cells = introspect.cells_run()
    if known is not None and known.run is run and known.cells == cells:
        return known.pool
    with _lock:
        pool = _pool(instance, declaration, run, record)
        instance.pool = Bound(run, cells, pool)
        return pool


def _defined(declaration: Declaration) -> Declaration:
    """The declaration with the class behind it, if this process knows it."""
    if declaration.user_cls is not None or declaration.lookup is not None or process.link is not None:
        return declaration
    origin = references.origin(declaration)
    if origin is None:
        raise ExecutionError(
            f"{declaration.name} came here as a reference and its code is not in this process, so it cannot be called "
            "from here: call it where it was defined"
        )
    return replace(origin, overrides=declaration.overrides)


def _bind_deployed(instance: Instance, declaration: Declaration) -> Pool:
    """The pool of a class that is found by name: found once, and again when a newer version is deployed."""
    known: Bound | None = instance.pool
    if known is not None and not known.run.stopped:
        return known.pool
    with _lock:
        found = lookups.find(declaration)
        key, request, load = _looked_up(instance, declaration, found)
        # never the pool of a local handle, which stays with its own code
        at = f"by name {key}" if request.follows else f"by name {key}@{found.version}"
        pool = found.run.pools.get(at)
        if pool is None:
            pool = Pool(found.run, request, load())
            pool.renew = partial(_renew, instance, declaration)
            pool.open()
            found.run.pools[at] = pool
            found.run.session.watching.refresh()
        instance.pool = Bound(found.run, 0, pool)
        return pool


def _renew(instance: Instance, declaration: Declaration, pool: Pool) -> None:
    """What the name means now."""
    _, request, load = _looked_up(instance, declaration, lookups.again(declaration))
    pool.take(request, load())


def _looked_up(instance: Instance, declaration: Declaration, found: lookups.Found) -> Opening:
    """How the pool of these arguments is opened; InvalidError if they do not fit what is deployed."""
    parameters = found.record.spec.bind(instance.args, instance.kwargs)
    key, request, load = opening(declaration, parameters, found.run, found.record)
    follows = declaration.lookup is not None and declaration.lookup.version is None
    return key, msgspec.structs.replace(request, version=found.version, follows=follows), load


def _pool(instance: Instance, declaration: Declaration, run: RunningApp, known: ClassRecord | None) -> Pool:
    """The pool of these parameters and options; ``known``: the record of a class that came as a reference."""
    key, request, load = opening(declaration, instance.parameters(), run, known)
    pool = run.pools.get(key)
    if pool is None:
        pool = Pool(run, request, load())
        classes.tell(run)
        pool.open()
        run.pools[key] = pool
        run.session.watching.refresh()
    return pool


def opening(
    declaration: Declaration,
    parameters: Mapping[str, Any],
    run: RunningApp,
    known: ClassRecord | None = None,
) -> Opening:
    """The key of a pool, the request that opens it, and what makes the LOAD message of its containers."""
    variables: dict[str, str] | None = None
    if known is None:
        record, variables = classes.record_here(declaration)
    else:
        record = known
    environment = record.environment
    if declaration.overrides.changes_environment:
        if known is not None:
            _check_known(declaration, known)
        variables = secrets.environment(declaration.options)
        environment = fingerprint(variables)
    declaration = replace(declaration, base=record.options)
    options = declaration.options
    lineage = fingerprint((declaration.name, options.key({}), environment, parameters_key(parameters)))
    key = fingerprint((lineage, record.digest, record.where))
    spec = options.pool_spec(key, lineage, record.spec)
    # a looked-up class comes with the launch that it was deployed with
    launch = None if declaration.lookup else classes.launch_here(include_source=options.include_source)
    request = ms.PoolOpen(
        app=run.number,
        spec=spec,
        launch=launch,
        name=declaration.name,
        digest=record.digest,
        variables=variables,
        options=declaration.unsupported(frozenset()),
        parameters=labels.parameters_label(replace(declaration, spec=record.spec), parameters),
        variant=labels.variant_label(declaration.overrides),
    )

    def load() -> list[Frame]:
        frames = classes.whole(record, declaration.user_cls).class_frames
        batched = [name for name, _ in spec.batching]
        return load_message(run, frames, dumps(dict(parameters)), options, batched, record.where)

    return key, request, load


def _check_known(declaration: Declaration, record: ClassRecord) -> None:
    """The values of a class's secrets and env do not travel with references to it: both can be left out, not one."""
    names = {"secrets", "env"}.intersection(declaration.overrides.cleared)
    if not declaration.overrides.environment and len(names) == 1 and record.environment != fingerprint({}):
        (name,) = names
        raise InvalidError(
            f"with_options({name}=UNSET) of {declaration.name} cannot be used inside a container: the class came there "
            "as a reference, without the values of its secrets and env. Give all that it is to have instead, by "
            "with_options(secrets=..., env=...)"
        )
