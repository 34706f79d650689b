"""``App``: a set of classes that run and end together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Never, cast, dataclass_transform

from modal_nb.client import deployment
from modal_nb.client.app_arguments import checked_tags, leave_out
from modal_nb.client.app_run import AppRun
from modal_nb.client.cls import Cls, handle
from modal_nb.client.declaration import Declaration
from modal_nb.client.decorators import concurrency_of
from modal_nb.client.entrypoint import Entrypoints
from modal_nb.client.function import AppFunction, check_function, made_of
from modal_nb.client.keywords import collect, documented
from modal_nb.client.parameter import parameter
from modal_nb.client.running import RunningApp, in_ipython
from modal_nb.client.schema import declare
from modal_nb.client.showing import Shown
from modal_nb.client.subject import Subject, of_app
from modal_nb.exception import InvalidError
from modal_nb.runtime.partial_function import PartialFunction
from modal_nb.spec import checks
from modal_nb.spec.image import Image
from modal_nb.spec.network import Proxy
from modal_nb.spec.options import AppDefaults, Options
from modal_nb.spec.retries import Retries
from modal_nb.spec.secret import Secret
from modal_nb.spec.storage import CloudBucketMount, NetworkFileSystem, Volume

if TYPE_CHECKING:
    from modal_nb.client.typed_marks import ClsMark, FunctionMark

Volumes = Mapping[str, Volume | CloudBucketMount]


class App(Entrypoints, Shown):
    """A set of classes that run and end together.

    In IPython an app runs by itself from the first use of one of its classes until the kernel ends; in
    scripts it runs inside ``with app.run():``. ``name`` is what people see; ``tags`` are strings for
    them. ``image``, ``secrets``, ``volumes`` and ``include_source`` are what classes have that say
    nothing else. ``linger``: seconds that idle containers stay when the notebook's kernel ends, so that the
    restarted one finds them; the setting ``linger`` by default, 0 in scripts. InvalidError for a name that
    is no string and for options that do not fit.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        image: Image | None = None,
        secrets: Sequence[Secret] | None = None,
        volumes: Volumes | None = None,
        include_source: bool = True,
        linger: float | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise InvalidError(
                f"Invalid App name: `name` must be a string, not {name!r} ({checks.kind(name)})"
            )
        self._name = None if name is None else checks.object_name("App", name)
        self._tags = checked_tags(tags)
        self._linger = None if linger is None else checks.number("linger", linger, 0)
        self._defaults = AppDefaults.declared(
            image=image, secrets=secrets, volumes=volumes, include_source=include_source
        )
        self._classes: dict[str, Cls] = {}
        self._functions: dict[str, AppFunction] = {}
        self._includers: list[App] = []
        #: what runs of this app, the innermost last; ``with app.run()`` ends only its own
        self._running: list[RunningApp] = []

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._tags)

    @property
    def registered_classes(self) -> dict[str, Cls]:
        """The classes by name, those of included apps among them."""
        return dict(self._classes)

    @property
    def registered_functions(self) -> dict[str, AppFunction]:
        return dict(self._functions)

    @documented
    @dataclass_transform(field_specifiers=(parameter,), kw_only_default=True)
    def cls(
        self,
        *positional: Never,
        image: Image | None = None,
        env: Mapping[str, str | None] | None = None,
        secrets: Sequence[Secret] | None = None,
        gpu: str | Sequence[str] | None = None,
        network_file_systems: Mapping[str, NetworkFileSystem] | None = None,
        volumes: Volumes | None = None,
        cpu: float | tuple[float, float] | None = None,
        memory: int | tuple[int, int] | None = None,
        ephemeral_disk: int | None = None,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
        proxy: Proxy | None = None,
        retries: int | Retries | None = None,
        timeout: float = 300,
        startup_timeout: float | None = None,
        cloud: str | None = None,
        region: str | Sequence[str] | None = None,
        routing_region: str | None = None,
        nonpreemptible: bool = False,
        enable_memory_snapshot: bool = False,
        block_network: bool = False,
        restrict_modal_access: bool = False,
        i6pn: bool = False,
        single_use_containers: bool = False,
        include_source: bool | None = None,
        serialized: bool = False,
        experimental_options: Mapping[str, Any] | None = None,
        **others: Never,
    ) -> ClsMark:
        """Serve the methods of a class by containers; the class's name then stands for a ``Cls``."""
        given = collect("app.cls", locals())
        # the options are checked before there is a class, so that the error points at this line
        Options.declared(given, self._defaults, None)
        return cast("ClsMark", lambda user_cls: self._declare(user_cls, given))

    def _declare(self, user_cls: Any, given: Mapping[str, Any]) -> Cls:
        if isinstance(user_cls, Cls):
            raise TypeError(
                f"{user_cls!r} cannot be decorated twice: remove one @app.cls(), or decorate the plain class"
            )
        if not isinstance(user_cls, type):
            what = user_cls.raw_f if isinstance(user_cls, PartialFunction) else user_cls
            raise TypeError(f"@app.cls() decorates a class, not {what!r}; for a function use @app.function()")
        options = Options.declared(given, self._defaults, concurrency_of(user_cls))
        made = handle(Declaration(user_cls.__name__, self, user_cls, declare(user_cls), options))
        self._register(self._classes, user_cls.__name__, made)
        return made

    @documented
    def function(
        self,
        *positional: Never,
        name: str | None = None,
        schedule: Any = None,
        is_generator: bool | None = None,
        image: Image | None = None,
        env: Mapping[str, str | None] | None = None,
        secrets: Sequence[Secret] | None = None,
        gpu: str | Sequence[str] | None = None,
        network_file_systems: Mapping[str, NetworkFileSystem] | None = None,
        volumes: Volumes | None = None,
        cpu: float | tuple[float, float] | None = None,
        memory: int | tuple[int, int] | None = None,
        ephemeral_disk: int | None = None,
        min_containers: int | None = None,
        max_containers: int | None = None,
        buffer_containers: int | None = None,
        scaledown_window: int | None = None,
        proxy: Proxy | None = None,
        retries: int | Retries | None = None,
        timeout: float = 300,
        startup_timeout: float | None = None,
        cloud: str | None = None,
        region: str | Sequence[str] | None = None,
        routing_region: str | None = None,
        nonpreemptible: bool = False,
        enable_memory_snapshot: bool = False,
        block_network: bool = False,
        restrict_modal_access: bool = False,
        i6pn: bool = False,
        single_use_containers: bool = False,
        include_source: bool | None = None,
        serialized: bool = False,
        experimental_options: Mapping[str, Any] | None = None,
        **others: Never,
    ) -> FunctionMark:
        """Serve a function by containers of its own; its name then stands for a ``Function``.

        ``name``: what it is called instead of its own name. ``schedule`` is refused by name at the first use.
        """
        given = collect("app.function", locals())
        Options.declared(given, self._defaults, None)
        return cast("FunctionMark", lambda raw_f: self._declare_function(raw_f, given))

    def _declare_function(self, raw_f: Any, given: Mapping[str, Any]) -> AppFunction:
        plain = check_function(raw_f, given)
        options = Options.declared(given, self._defaults, concurrency_of(plain))
        name = given["name"] or plain.__name__
        made = made_of(self, name, raw_f, given, options)
        self._register(self._functions, name, made)
        return made

    def _register(self, registry: dict[str, Any], name: str, made: Any) -> None:
        if name in registry and registry[name] is not made and not in_ipython():
            warnings.warn(
                f"{name!r} was already defined in {self!r}; the last definition counts", stacklevel=4
            )
        registry[name] = made

    def include(self, other: App) -> App:
        """Take in the classes of another app, so that they run when this one does; returns this app."""
        checks.instance("other", other, App)
        if other is self:
            raise InvalidError(f"{self!r} cannot include itself")
        for name, made in other._classes.items():
            self._register(self._classes, name, made)
        for name, declared in other._functions.items():
            self._register(self._functions, name, declared)
        other._includers.append(self)
        return self

    def run(
        self,
        *,
        name: str | None = None,
        client: Any = None,
        detach: bool = False,
        interactive: bool = False,
        environment_name: str | None = None,
    ) -> AppRun:
        """Run the app for the length of a ``with`` or ``async with`` block, then stop its containers.

        ``name``: what people see in place of the app's own. Works inside a notebook whose app already
        runs by itself, and then ends only the containers of the block. ``client``: a
        ``modal_nb.Client(home=...)`` to run in another home. ``detach``, ``interactive`` and
        ``environment_name`` are refused: InvalidError.
        """
        leave_out("run", detach=detach, interactive=interactive, environment_name=environment_name)
        shown = checks.object_name("App", name) if name is not None else self._name
        return AppRun(self, self._running, shown, client)

    def running(self) -> RunningApp | None:
        """What runs of this app now, the innermost; an including app counts. None if the app does not run."""
        if self._running:
            return self._running[-1]
        return next((running for app in self._includers if (running := app.running())), None)

    def deploy(
        self,
        *,
        name: str | None = None,
        environment_name: str | None = None,
        tag: str = "",
        client: Any = None,
        strategy: Literal["rolling", "recreate"] = "rolling",
    ) -> App:
        """Keep the app running beyond this process, under its name; returns the app when it is live.

        Every process of this home finds it by ``Cls.from_name`` and ``Function.from_name``. Deployed again it is
        a new version: old containers finish what they have ("rolling") or are killed first ("recreate"), no input
        is lost, changes of the autoscaler are over. ``environment_name``: a namespace, "main" by default.
        ``tag`` is shown in lists. ``client``: a ``modal_nb.Client(home=...)``. InvalidError for an app without a
        name or without classes, NotFoundError for an unknown environment.
        """
        live = deployment.deploy(self, name, environment_name, tag, client, strategy)
        self._running = [running for running in self._running if running is not live] + [live]
        return self

    def stop(self) -> None:
        """End all that runs of this app here, and what was deployed of it from here.

        Waiting inputs fail, containers run their exit hooks and end.
        """
        while self._running:
            self._running.pop().stop()

    def _subject(self) -> Subject:
        return of_app(self, deployed=True)

    def __reduce__(self) -> Any:
        return _travelled, (self._name,)

    def __copy__(self) -> App:
        return self

    def __deepcopy__(self, memo: Any) -> App:
        return self

    def __repr__(self) -> str:
        state = "running" if self.running() else "not running"
        return f"<App {self._name!r}, {state}>" if self._name else f"<App without a name, {state}>"


def _travelled(name: str | None) -> App:
    """What a pickled app is on the other side: a reference by name."""
    return App(name)
