"""What a view is about: an app, a class, or one set of parameters of a class. Finding out starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modal_nb.client import session as sessions
from modal_nb.client.labels import parameters_label, variant_label
from modal_nb.exception import Error

if TYPE_CHECKING:
    from modal_nb.client.app import App
    from modal_nb.client.cls import Cls
    from modal_nb.client.obj import Obj
    from modal_nb.client.running import RunningApp
    from modal_nb.protocol.reports import Report


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

    def runs(self) -> list[RunningApp]:
        """What runs of its app now; apps that include it count, and those of the same name in this process.

        The cell that makes the app may be run again: it is a new app then, and the same one to people.
        """
        if self.app is None:
            return []
        own = _runs(self.app)
        name = self.app.name
        return own + [run for run in sessions.current().apps if run not in own and name and run.name == name]

    def covers(self, report: Report) -> bool:
        """Whether the pool belongs to it, if the pool belongs to its app."""
        return (
            self.service in ("", report["service"])
            and self.parameters in (None, report["parameters"])
            and self.variant in (None, report["variant"])
        )


def of_app(app: App) -> Subject:
    return Subject(app, f"app {app.name!r}" if app.name else "an app without a name")


def of_cls(cls: Cls) -> Subject:
    """All pools of the class; of a variant (with_options and the like) only its own."""
    declaration = cls.__modal__
    title = f"{declaration.name} of {declaration.home}"
    variant = variant_label(declaration.overrides) or None
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
    return Subject(declaration.app, title, declaration.name, label, variant_label(declaration.overrides))


def _runs(app: App) -> list[RunningApp]:
    including = [run for other in app._includers for run in _runs(other)]  # noqa: SLF001 - an app keeps them for us
    return [*including, *app._running]  # noqa: SLF001 - the same
