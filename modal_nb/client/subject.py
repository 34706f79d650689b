"""What a view is about: an app, a class, one set of its parameters, or everything. Finding out starts nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modal_nb.client import lookups
from modal_nb.client import session as sessions
from modal_nb.client.client import session_of
from modal_nb.client.environments import environment_name
from modal_nb.client.labels import parameters_label, variant_label
from modal_nb.exception import Error

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.cls import Cls
    from modal_nb.client.declaration import Lookup
    from modal_nb.client.link import Link
    from modal_nb.client.obj import Instance, Obj
    from modal_nb.client.running import RunningApp
    from modal_nb.client.session import Session
    from modal_nb.client.subscription import Listed
    from modal_nb.protocol.reports import Report

_NO_CONTAINER = "no container yet: the first call starts one"


@dataclass(frozen=True, slots=True)
class Subject:
    """Found again by names, so a class that is defined anew is the same subject."""

    #: None: of a class that was looked up, or came here as a reference
    app: App | None
    #: one line, for people
    title: str
    #: the class; "": the whole app
    service: str = ""
    #: labels as in ``client/labels``; None: all
    parameters: str | None = None
    variant: str | None = None
    #: environment and name of the app that it is about as far as that is deployed, whoever did it
    deployed: tuple[str, str] | None = None
    #: of a class that was looked up in one version
    version: int | None = None
    #: of a class that was looked up: what ``parameters`` can be made of once its schema is known
    instance: Instance | None = field(default=None, compare=False)
    #: everything that a supervisor runs
    everything: bool = False
    #: the home, if it is not that of this process
    client: Any = None
    #: the sentence where there is nothing to show
    absent: str = _NO_CONTAINER

    @property
    def session(self) -> Session:
        """What of this process can ask about it: where its app runs, else its home."""
        return next((run.session for run in self.runs()), None) or session_of(self.client)

    def runs(self) -> list[RunningApp]:
        """What runs of its app now; apps that include it count, and those of the same name in this process.

        The cell that makes the app may be run again: it is a new app then, and the same one to people.
        """
        if self.app is None:
            return []
        own = _runs(self.app)
        name = self.app.name
        return own + [run for run in sessions.current().apps if run not in own and name and run.name == name]

    @property
    def guessed(self) -> bool:
        """Whether ``parameters`` is a guess: the order and the defaults of a looked-up class are not known here."""
        return self.instance is not None and bool(self.instance.kwargs)

    def known(self, link: Link) -> Subject:
        """The same with ``parameters`` as the deployed class has them, which is asked for; starts nothing."""
        assert self.instance is not None
        declaration = self.instance.declaration
        record = lookups.look(declaration, link)
        if record is None:
            return self
        try:
            bound = record.spec.bind(self.instance.args, self.instance.kwargs)
        except (Error, TypeError):
            return self  # they name no pool, and what was guessed names none either
        label = parameters_label(replace(declaration, spec=record.spec), bound)
        return replace(self, parameters=label)

    def lack(self, apps: list[Listed]) -> str:
        """What there is to say where these are its apps; "" if nothing."""
        if not apps:
            return self.absent
        if self.deployed and self.service and self.version is None:
            named = sorted({name for app in apps for name in app["classes"]})
            if self.service not in named:
                return f"the app {self.deployed[1]!r} has no {self.service!r}, only {', '.join(named)}"
        return ""

    def headings(self, apps: list[Listed]) -> list[Listed]:
        """Its apps as people see them, with the classes it is about; none where it is plain whose its pools are."""
        if not self.everything and not any(app["version"] for app in apps):
            return []
        return [
            {**app, "classes": [name for name in app["classes"] if self.service in ("", name)]}
            for app in apps
        ]

    def covers(self, report: Report) -> bool:
        """Whether the pool belongs to it, if the pool belongs to its app."""
        return (
            self.service in ("", report["service"])
            and self.parameters in (None, report["parameters"])
            and self.variant in (None, report["variant"])
            and self.version in (None, report["version"])
        )


def of_app(app: App, *, deployed: bool = False) -> Subject:
    """What runs of the app in this process; ``deployed``: and what is deployed under its name."""
    title = f"app {app.name!r}" if app.name else "an app without a name"
    return Subject(app, title, deployed=(environment_name(None), app.name) if deployed and app.name else None)


def of_cls(cls: Cls) -> Subject:
    """All pools of the class; of a variant (with_options and the like) only its own."""
    declaration = cls.__modal__
    title = f"{declaration.name} of {declaration.home}"
    variant = variant_label(declaration.overrides) or None
    if declaration.lookup is not None:
        return _of_lookup(declaration.lookup, title, declaration.name, variant=variant)
    return Subject(declaration.app, title, declaration.name, variant=variant)


def of_obj(obj: Obj) -> Subject:
    """The pool of these parameters and options; constructor arguments that do not fit name no pool."""
    instance = obj.__modal__
    declaration = instance.declaration
    title = repr(obj).removeprefix("<Obj ").removesuffix(">")
    try:
        label = parameters_label(declaration, instance.parameters())
    except (Error, TypeError):
        return Subject(None, title, declaration.name)
    variant = variant_label(declaration.overrides)
    if declaration.lookup is not None:
        more = {"parameters": label, "variant": variant, "instance": instance}
        return _of_lookup(declaration.lookup, title, declaration.name, **more)
    return Subject(declaration.app, title, declaration.name, label, variant)


def of_everything(client: Any = None) -> Subject:
    """All that the supervisor of a home runs, whoever started it. InvalidError for what is no ``Client``."""
    session_of(client)
    where = "here" if client is None else f"in {client.home}"
    return Subject(
        None, f"everything that runs {where}", everything=True, client=client, absent=f"nothing runs {where}"
    )


def _of_lookup(lookup: Lookup, title: str, service: str, **more: Any) -> Subject:
    environment = environment_name(lookup.environment_name)
    if lookup.version is not None:
        title = f"{title}, version {lookup.version}"
    return Subject(
        None,
        title,
        service,
        deployed=(environment, lookup.app_name),
        version=lookup.version,
        client=lookup.client,
        absent=f"the app {lookup.app_name!r} is not deployed in the environment {environment!r}",
        **more,
    )


def _runs(app: App) -> list[RunningApp]:
    including = [run for other in app._includers for run in _runs(other)]  # noqa: SLF001 - an app keeps them for us
    return [*including, *app._running]  # noqa: SLF001 - the same
