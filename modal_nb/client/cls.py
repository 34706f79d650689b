"""``Cls``: a served class, as it stands in the notebook in place of the user's own class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Never

from modal_nb.client import cards, references
from modal_nb.client.client import checked_client
from modal_nb.client.declaration import Declaration, Lookup, served_names
from modal_nb.client.handle import Handle
from modal_nb.client.obj import Obj
from modal_nb.client.removed import Renamed
from modal_nb.client.showing import Shown, card_of
from modal_nb.client.subject import Subject, of_cls
from modal_nb.client.typed_class import variant
from modal_nb.exception import UsageError
from modal_nb.runtime.parameter import Parameter
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.spec import checks
from modal_nb.spec.cls_spec import ClsSpec
from modal_nb.spec.overrides import Overrides, Unset
from modal_nb.spec.retries import Retries
from modal_nb.spec.scaling import Batching, Concurrency
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import CloudBucketMount, Volume

_PYTHON_TYPES: dict[str, type] = {"int": int, "str": str, "bytes": bytes, "bool": bool}


class Cls(Shown, Handle):
    """A class whose methods are served by containers; it stands in the place of the user's class.

    Made by ``@app.cls()``. Call it with the class's parameters as keywords to get an ``Obj``. Static
    attributes of the class can be read from it. ``with_options``, ``with_concurrency`` and
    ``with_batching`` give variants with pools of their own and leave this one as it is. Pickled, it
    travels as a reference.
    """

    __modal__: Declaration
    __signature__: inspect.Signature

    lookup = Renamed("Cls.lookup is gone: use Cls.from_name(app_name, name)")

    def __init__(self, *args: Any, **_: Any) -> None:
        if len(args) == 3 and isinstance(args[1], tuple):
            raise UsageError(
                f"The class {args[0]!r} cannot inherit from a Cls: inherit from the plain class and "
                f"decorate both, "
                "each with @app.cls()"
            )
        raise UsageError(
            "Cls has no public constructor: decorate a class with @app.cls(), or use Cls.from_name(...)"
        )

    @staticmethod
    def from_name(
        app_name: str,
        name: str,
        *,
        version: int | None = None,
        environment_name: str | None = None,
        client: Any = None,
    ) -> Cls:
        """A class of a deployed app by name; nothing is looked up before a method is used.

        NotFoundError then, if there is none. ``version``: this one, as long as it is kept, else always the newest.
        ``environment_name``: "main" by default. ``client``: a ``modal_nb.Client(home=...)``.
        """
        return handle(by_name("Cls", app_name, name, version, environment_name, client))

    def __call__(self, *args: Any, **kwargs: Any) -> Obj:
        """An instance with these parameters (keywords only).

        Nothing is checked or started before a method is used, but for one thing: ValueError at once for
        an argument that cannot be pickled.
        """
        return Obj(self, args, kwargs)

    @variant
    def with_options(
        self,
        /,
        *positional: Never,
        cpu: float | tuple[float, float] | Unset | None = None,
        memory: int | tuple[int, int] | Unset | None = None,
        gpu: str | list[str] | Unset | None = None,
        env: Mapping[str, str | None] | Unset | None = None,
        secrets: Sequence[Secret] | Unset | None = None,
        volumes: Mapping[str, Volume | CloudBucketMount] | Unset | None = None,
        retries: int | Retries | Unset | None = None,
        max_containers: int | Unset | None = None,
        buffer_containers: int | Unset | None = None,
        scaledown_window: int | Unset | None = None,
        timeout: float | Unset | None = None,
        region: str | Sequence[str] | Unset | None = None,
        cloud: str | Unset | None = None,
        routing_region: str | Unset | None = None,
        **others: Never,
    ) -> Cls:
        """A variant of the class with other options and pools of its own; equal chains share their pools.

        Stacks field by field, the last one wins; secrets and env together, and volumes, are replaced as a
        whole. As in Modal None, 0 and empty values change nothing (but ``retries=0`` does);
        ``modal_nb.UNSET`` clears an option, as if neither decorator, app nor an earlier call had given it.
        """
        given = {k: v for k, v in locals().items() if k not in {"self", "positional", "others"}}
        if positional:
            raise UsageError(
                "with_options() takes keyword arguments only, such as with_options(max_containers=2)"
            )
        if others:
            raise TypeError(_not_an_override(next(iter(others))))
        return self._changed(Overrides.declared(given))

    @variant
    def with_concurrency(self, *, max_inputs: int, target_inputs: int | None = None) -> Cls:
        """A variant whose containers run up to ``max_inputs`` inputs at a time, as ``@concurrent``.

        0 alone changes nothing.
        """
        if type(max_inputs) is int and max_inputs == 0 and target_inputs is None:
            return self._changed(Overrides())
        concurrency = Concurrency.declared(max_inputs=max_inputs, target_inputs=target_inputs)
        return self._changed(Overrides(concurrency=concurrency))

    @variant
    def with_batching(self, *, max_batch_size: int, wait_ms: int) -> Cls:
        """A variant whose methods get lists of up to ``max_batch_size`` inputs; as ``@batched``."""
        batching = Batching.declared(max_batch_size=max_batch_size, wait_ms=wait_ms)
        return self._changed(Overrides(batching=batching))

    def _subject(self) -> Subject:
        return of_cls(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """The live panel, as the last expression of a cell; what it offers, while nothing of its app runs."""
        about = self._subject()
        if about.deployed is None and not about.runs():
            return card_of(lambda: cards.of_cls(self), repr(self))
        return super()._repr_mimebundle_(include, exclude)

    def _changed(self, overrides: Overrides) -> Cls:
        return handle(self.__modal__.changed(overrides))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{self!r} has no attribute {name!r}")
        declaration = self.__modal__
        if declaration.spec is None or declaration.spec.method(name) is not None:
            return _Unbound(declaration.name, name)
        if declaration.user_cls is None:
            raise AttributeError(
                f"{declaration.name} was not defined here, its attribute {name!r} is not known"
            )
        value = getattr(declaration.user_cls, name)
        if isinstance(value, PartialFunction | Parameter):
            raise AttributeError(_only_of_instances(declaration.name, name, value))  # noqa: TRY004 - of access
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{name!r} cannot be set on {self!r}: set it in the class body, before @app.cls()"
        )

    def __dir__(self) -> list[str]:
        faces = ("from_name", "panel", "with_batching", "with_concurrency", "with_options")
        return sorted({*faces, *served_names(self.__modal__)})

    def __reduce__(self) -> Any:
        return handle, (references.travelling(self.__modal__),)

    def __modal_digest__(self) -> tuple[Any, ...]:
        """What a class that refers to this one depends on."""
        declaration = self.__modal__
        return (
            declaration.name,
            declaration.app_name,
            declaration.user_cls,
            declaration.options,
            declaration.digest,
        )

    def __copy__(self) -> Cls:
        return self

    def __deepcopy__(self, memo: Any) -> Cls:
        return self

    def __repr__(self) -> str:
        return f"<Cls {self.__modal__.name} of {self.__modal__.home}>"


def handle(declaration: Declaration) -> Cls:
    """The ``Cls`` for a declaration; called by ``App.cls`` and by pickles."""
    made = object.__new__(Cls)
    user_cls = declaration.user_cls
    attributes = {
        "__modal__": declaration,
        "__name__": declaration.name,
        "__signature__": _signature(declaration.spec),
    }
    if user_cls is not None:
        attributes |= {name: getattr(user_cls, name) for name in ("__doc__", "__module__", "__qualname__")}
        attributes["__wrapped__"] = user_cls
    made.__dict__.update(attributes)
    return made


def by_name(
    what: str, app_name: str, name: str, version: int | None, environment_name: str | None, client: Any
) -> Declaration:
    """What ``from_name`` stands for; ``what``: "Cls" or "Function". InvalidError for arguments that do not fit."""
    checks.object_name("App", app_name)
    checks.text("name", name)
    if version is not None:
        checks.integer("version", version, 1)
    if environment_name is not None:
        checks.object_name("Environment", environment_name)
    lookup = Lookup(app_name, environment_name, version, checked_client(client), what)
    return Declaration(name, None, None, None, lookup=lookup)


class _Unbound(Handle):
    """A method read from the class itself; every use says what was forgotten."""

    def __init__(self, cls_name: str, name: str) -> None:
        self._hint = (
            f"{cls_name}.{name} belongs to an instance. Did you forget to instantiate the class? "
            f"Write {cls_name}().{name}.remote(...)"
        )

    def __getattr__(self, name: str) -> Never:
        raise AttributeError(name if name.startswith("_") else self._hint)

    def __call__(self, *_: Any, **__: Any) -> Never:
        raise AttributeError(self._hint)

    def __repr__(self) -> str:
        return f"<method without an instance: {self._hint}>"


def _signature(spec: ClsSpec | None) -> inspect.Signature:
    """The constructor: keyword-only, with types and defaults."""
    empty, kind = inspect.Parameter.empty, inspect.Parameter.KEYWORD_ONLY
    if spec is None:
        return inspect.Signature([inspect.Parameter("parameters", inspect.Parameter.VAR_KEYWORD)])
    return inspect.Signature(
        [
            inspect.Parameter(
                p.name, kind, default=p.default if p.has_default else empty, annotation=_PYTHON_TYPES[p.type]
            )
            for p in spec.parameters
        ]
    )


def _only_of_instances(cls_name: str, name: str, value: PartialFunction | Parameter) -> str:
    if isinstance(value, Parameter):
        return f"{name!r} is a parameter: only instances such as {cls_name}({name}=...) have a value"
    return f"{name!r} of {cls_name} is a lifecycle hook: containers call it, nobody else does"


def _not_an_override(name: str) -> str:
    sentence = f"with_options() got an unexpected keyword argument {name!r}"
    if name == "min_containers":
        return f"{sentence}; keep containers of an instance warm by obj.update_autoscaler(min_containers=...)"
    return f"{sentence}; only options that need no other class can be changed, others belong to @app.cls()"
