"""What a ``Cls`` handle stands for, as one record that the rest of the client reads."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modal_nb.runtime.parameter import Parameter
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.spec.cls_spec import ClsSpec
from modal_nb.spec.options import Options
from modal_nb.spec.overrides import Overrides

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.client import Client


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where a class that was not defined here is to be found."""

    app_name: str
    environment_name: str | None = None
    version: int | None = None
    #: where, if not in this process's home
    client: Client | None = None
    #: "Cls" or "Function", for messages
    what: str = "Cls"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A class with its app and its options. Three kinds:

    * local: ``user_cls`` is the class that ``@app.cls`` decorated here;
    * travelled: a handle that came with a pickle, it has ``spec`` but no ``user_cls``;
    * looked up: ``lookup`` says where, nothing else is known before first use.
    """

    name: str
    #: None for a looked-up class
    app: App | None
    user_cls: type | None
    spec: ClsSpec | None
    #: as decorated
    base: Options = field(default_factory=Options)
    #: of with_options, with_concurrency and with_batching, laid over ``base``
    overrides: Overrides = field(default_factory=Overrides)
    lookup: Lookup | None = None
    #: what else was asked for that no back end can do, by name
    refused: tuple[str, ...] = ()
    #: of a travelled handle: which version of the class it means
    digest: str = ""

    @property
    def options(self) -> Options:
        """What counts: ``base`` with ``overrides`` laid over it."""
        return self.base.merged(self.overrides)

    @property
    def app_name(self) -> str | None:
        if self.lookup is not None:
            return self.lookup.app_name
        return None if self.app is None else self.app.name

    @property
    def home(self) -> str:
        """The app, for people."""
        return "an unnamed app" if self.app_name is None else f"app {self.app_name!r}"

    def changed(self, later: Overrides) -> Declaration:
        """The same class with more overrides; InvalidError if they do not fit what is there."""
        changed = replace(self, overrides=self.overrides.then(later))
        changed.base.merged(changed.overrides)
        return changed

    def travelling(self, digest: str) -> Declaration:
        """What goes into a pickle: no user code, and none of the class's own secrets.

        ``digest`` names the version of the class, so that the other side asks for this one.
        """
        return replace(self, user_cls=None, base=Options(), digest=digest)

    def unsupported(self, honoured: frozenset[str]) -> list[str]:
        """Names of what is declared and cannot be done by a back end that honours only ``honoured`` (D9).

        Besides options of ``@app.cls``: "concurrent", "batched" and the names of web decorators.
        """
        names = [*self.options.unsupported(honoured), *self.refused]
        for method in () if self.spec is None else self.spec.methods:
            if method.batching and "batched" not in honoured:
                names.append("batched")
            if method.web and method.web not in honoured:
                names.append(method.web)
        return list(dict.fromkeys(names))


def served_names(declaration: Declaration) -> set[str]:
    """Methods and plain attributes by name, for completion: nothing is built to find them."""
    names = set() if declaration.spec is None else {method.name for method in declaration.spec.methods}
    user_cls = declaration.user_cls
    for name in () if user_cls is None else dir(user_cls):
        marks = (PartialFunction, Parameter)
        if not name.startswith("_") and not isinstance(inspect.getattr_static(user_cls, name), marks):
            names.add(name)
    return names
