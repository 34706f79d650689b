"""What it takes to open pools of a class: worked out where it was defined, asked for where it is a reference."""

from __future__ import annotations

import pickle
import sys
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modal_nb.client import introspect, references, running, secrets
from modal_nb.exception import NotFoundError
from modal_nb.protocol import messages as ms
from modal_nb.runtime import pickler
from modal_nb.runtime.context import process
from modal_nb.runtime.loader import dump_class
from modal_nb.spec.cls_spec import ClsSpec
from modal_nb.spec.fingerprint import fingerprint
from modal_nb.spec.options import Options

if TYPE_CHECKING:
    from modal_nb.client.declaration import Declaration
    from modal_nb.client.running import RunningApp


_telling = threading.Lock()


@dataclass(frozen=True, slots=True)
class ClassRecord:
    """One version of a class, with what the keys of its pools are made of."""

    spec: ClsSpec
    #: as decorated, without secrets and env
    options: Options
    digest: str
    #: names interpreter, folder and import path of where it was defined
    where: str
    #: names the variables of its secrets and env
    environment: str
    #: as runtime.loader made them; none before ``whole``
    class_frames: tuple[bytes, ...] = ()


def where_am_i() -> str:
    """Names interpreter, folder and import path; the same in a notebook and in the containers that it started."""
    if process.link is not None:
        return process.link.where
    return fingerprint((sys.executable, sys.version, str(Path.cwd()), tuple(sys.path)))


def record_here(declaration: Declaration) -> tuple[ClassRecord, dict[str, str]]:
    """The record of a class that was defined in this process, without its frames, and its variables.

    It is made whenever a cell ran; pickling the class is left to ``whole``, for when a pool is really opened.
    """
    user_cls, spec = declaration.user_cls, declaration.spec
    assert user_cls is not None
    assert spec is not None
    variables = secrets.environment(declaration.base)
    record = ClassRecord(
        spec=spec,
        options=replace(declaration.base, secrets=(), env=()),
        digest=references.digest(user_cls),
        where=where_am_i(),
        environment=fingerprint(variables),
    )
    return record, variables


def whole(record: ClassRecord, user_cls: type | None) -> ClassRecord:
    """The record with the frames of its class; those of a reference came with it."""
    if user_cls is None:
        return record
    return replace(record, class_frames=tuple(bytes(frame) for frame in dump_class(user_cls)))


def launch_here(*, include_source: bool) -> ms.Launch | None:
    """What containers inherit from this process (D1a); None in a container, whose own launch counts then."""
    if process.link is not None:
        return None
    inherited = introspect.environment(include_source=include_source)
    return ms.Launch(
        executable=inherited.executable,
        cwd=inherited.cwd,
        sys_path=list(inherited.sys_path),
        environ=dict(inherited.environ),
    )


def tell(run: RunningApp) -> None:
    """Tell the supervisor of every class to which a reference was pickled, before the message leaves.

    Whoever comes meanwhile waits: its message may hold a reference of which another thread tells in this moment.
    """
    with _telling:
        while untold := references.untold():
            try:
                for digest, declaration in untold:
                    _tell_of(_owner(declaration) or run, declaration, digest)
            finally:
                references.told(untold)


def _tell_of(owner: RunningApp, declaration: Declaration, digest: str) -> None:
    if (declaration.name, digest) in owner.declared:
        return
    record, variables = record_here(declaration)
    declared = running.Declared(
        declaration.name,
        digest,
        launch_here(include_source=record.options.include_source),
        variables,
        pickler.dumps(whole(record, declaration.user_cls)),
    )
    owner.declared[declared.name, declared.digest] = declared
    owner.session.ask(partial(_request, owner, declared), ms.Done, [declared.data])


def _request(owner: RunningApp, declared: running.Declared) -> ms.ClassDeclare:
    return declared.request(owner.number)


def _owner(declaration: Declaration) -> RunningApp | None:
    """The run of the class's own app, which its pools belong to; None if that app does not run."""
    app: Any = declaration.app
    return app.running() if app is not None and process.link is None else None


_found: dict[tuple[str | None, str, str], tuple[RunningApp, ClassRecord]] = {}


def find(declaration: Declaration) -> tuple[RunningApp, ClassRecord]:
    """In a container: the app and the record of a class that came as a reference."""
    key = (declaration.app_name, declaration.name, declaration.digest)
    if key not in _found:
        own, _ = running.inside()
        asked = ms.ClassAsk(app_name=key[0], name=key[1], digest=key[2])
        found, buffers = own.session.fetch(asked, ms.ClassFound)
        if not buffers:
            raise NotFoundError(f"the class {declaration.name} is not known to the supervisor")
        _found[key] = (_run_of(own, found), pickle.loads(buffers[0]))
    return _found[key]


def _run_of(own: RunningApp, found: ms.ClassFound) -> RunningApp:
    if found.app == own.number:
        return own
    other = running.RunningApp(own.session, found.app_name, bytes.fromhex(found.key))
    other.number, other.id, other.deployed = found.app, found.app_id, found.deployed
    return other
