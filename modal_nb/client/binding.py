"""From an ``Obj`` to the pool that serves it: which one it is, and opening it at the first use.

The class digest is taken again when a cell has run since, so that an edited helper is never answered by old code. The
same code binds in notebooks and in containers: the keys come out alike, so the pool is the same one.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modal_nb.client import classes, introspect, labels, references, running, secrets
from modal_nb.client.classes import ClassRecord
from modal_nb.client.pool import Pool, load_message
from modal_nb.exception import ExecutionError, InvalidError, NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.runtime.context import process
from modal_nb.runtime.payload import dumps
from modal_nb.spec.cls_spec import parameters_key
from modal_nb.spec.fingerprint import fingerprint

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration
    from modal_nb.client.obj import Instance, Obj
    from modal_nb.client.running import RunningApp

_lock = threading.RLock()


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
    if declaration.lookup is not None:
        lookup = declaration.lookup
        where = f" in the {lookup.environment_name!r} environment" if lookup.environment_name else ""
        raise NotFoundError(
            f"Lookup failed for Cls {declaration.name!r} from the {lookup.app_name!r} app{where}: "
            "no app of that name is deployed here"
        )
    if declaration.user_cls is not None or process.link is not None:
        return declaration
    origin = references.origin(declaration)
    if origin is None:
        raise ExecutionError(
            f"{declaration.name} came here as a reference and its code is not in this process, so it cannot be called "
            "from here: call it where it was defined"
        )
    return replace(origin, overrides=declaration.overrides)


def _pool(instance: Instance, declaration: Declaration, run: RunningApp, known: ClassRecord | None) -> Pool:
    """The pool of these parameters and options; ``known``: the record of a class that came as a reference."""
    parameters = instance.parameters()
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
    pool = run.pools.get(key)
    if pool is None:
        spec = options.pool_spec(key, lineage, record.spec)
        request = ms.PoolOpen(
            app=run.number,
            spec=spec,
            launch=classes.launch_here(include_source=options.include_source),
            name=declaration.name,
            digest=record.digest,
            variables=variables,
            options=declaration.unsupported(frozenset()),
            parameters=labels.parameters_label(declaration, parameters),
            variant=labels.variant_label(declaration.overrides),
        )
        frames = classes.whole(record, declaration.user_cls).class_frames
        batched = [name for name, _ in spec.batching]
        load = load_message(run, frames, dumps(parameters), options, batched, record.where)
        pool = Pool(run, request, load)
        classes.tell(run)
        pool.open()
        run.pools[key] = pool
        run.session.watching.refresh()
        _warn_of_plain_starts(declaration.name, snapshots=options.enable_memory_snapshot)
    return pool


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


def _warn_of_plain_starts(name: str, *, snapshots: bool) -> None:
    if snapshots:
        warnings.warn(
            f"{name}: enable_memory_snapshot has no effect yet, its containers start plainly: every one of them runs "
            "its enter(snap=True) hooks",
            stacklevel=6,
        )
