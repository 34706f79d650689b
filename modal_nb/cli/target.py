"""What is meant in a module of the user: an entrypoint, a function, a method, or a class."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modal_nb.cli.flags import Flags, called, item_of, parameters_of
from modal_nb.cli.loading import Loaded
from modal_nb.cli.misuse import Misuse
from modal_nb.client.app import App
from modal_nb.client.cls import Cls
from modal_nb.client.entrypoint import LocalEntrypoint
from modal_nb.client.function import AppFunction
from modal_nb.client.method import Function
from modal_nb.spec.cls_spec import MethodSpec


@dataclass(frozen=True, slots=True)
class Entry:
    """A local entrypoint, called in this process."""

    app: App
    label: str
    thing: LocalEntrypoint

    @property
    def identity(self) -> object:
        """Tells things apart, whatever app they were found in."""
        return id(self.thing)

    def flags(self) -> Flags:
        return Flags(self.label, self.thing.__doc__, parameters_of(self.thing.raw_f))

    def call(self, values: Mapping[str, Any]) -> None:
        """What it returns is its own business, as in Modal."""
        result = called(self.thing, parameters_of(self.thing.raw_f), values)
        if inspect.iscoroutine(result):
            asyncio.run(result)


@dataclass(frozen=True, slots=True)
class Served:
    """A method of a class, or a function, called in a container."""

    app: App
    label: str
    method: MethodSpec
    cls: Cls | None = None
    function: AppFunction | None = None

    @property
    def identity(self) -> object:
        """As of an entrypoint."""
        return id(self.function or self.cls), self.method.name

    def flags(self) -> Flags:
        """The parameters of the class, then those of the method. Misuse if both have one of the same name."""
        own, of_class = self._parameters(), self._class_parameters()
        for one in own:
            if any(one.name == other.name for other in of_class):
                raise Misuse(
                    f"{self.label} and its class both have a parameter {one.name!r}: call it from an "
                    "@app.local_entrypoint()"
                )
        # of a Cls the first line tells what it is for when the method says nothing
        about = inspect.getdoc(self._raw()) or (self.cls and self.cls.__doc__)
        return Flags(self.label, about or None, [*of_class, *own])

    def class_flags(self, *others: inspect.Parameter) -> Flags:
        """The parameters of the class alone, and ``others``."""
        assert self.cls is not None
        return Flags(self.cls.__modal__.name, self.cls.__doc__, [*self._class_parameters(), *others])

    def call(self, values: Mapping[str, Any]) -> Iterator[Any]:
        """Its result; of a generator the items as they come."""
        handle = self._handle(values)
        if self.method.is_generator:
            yield from called(handle.remote_gen, self._parameters(), values)
        else:
            yield called(handle.remote, self._parameters(), values)

    def instance(self, values: Mapping[str, Any]) -> Any:
        """The ``Obj`` with the class's parameters among ``values``."""
        assert self.cls is not None
        names = {one.name for one in self._class_parameters()}
        return self.cls(**{name: value for name, value in values.items() if name in names})

    def _handle(self, values: Mapping[str, Any]) -> Function:
        if self.function is not None:
            return self.function
        found: Function = getattr(self.instance(values), self.method.name)
        return found

    def _raw(self) -> Any:
        if self.function is not None:
            return inspect.unwrap(self.function)
        assert self.cls is not None
        return inspect.getattr_static(self.cls.__modal__.user_cls, self.method.name).raw_f

    def _parameters(self) -> list[inspect.Parameter]:
        found = parameters_of(self._raw(), skip=0 if self.function is not None else 1)
        return [item_of(one) for one in found] if self.method.batching else found

    def _class_parameters(self) -> list[inspect.Parameter]:
        return [] if self.cls is None else list(self.cls.__signature__.parameters.values())


def find(loaded: Loaded) -> Entry | Served:
    """What is to be run. Misuse lists what there is."""
    apps = _apps(loaded)
    first, _, rest = loaded.name.partition(".")
    if first in apps:
        apps, name = {first: apps[first]}, rest
    else:
        name = loaded.name
    if not name:
        return _only(loaded, apps)
    matches: dict[object, Entry | Served] = {}
    for app in apps.values():
        for one in _all(app):
            if _means(one, name):
                # what an app includes is there twice, and the same
                matches.setdefault(one.identity, one)
    if len(matches) == 1:
        return next(iter(matches.values()))
    what = "several things are" if matches else "nothing is"
    raise Misuse(f"{what} called {name!r} in {loaded.source}; there is: {_listed(apps)}")


def find_class(loaded: Loaded) -> Served:
    """The class that is meant, by its name alone or by one of its methods. Misuse lists the classes."""
    apps = _apps(loaded)
    wanted = loaded.name.partition(".")[0]
    served = [one for app in apps.values() for one in _all(app) if isinstance(one, Served) and one.cls]
    classes: dict[str, Served] = {}
    for one in served:
        classes.setdefault(one.label.partition(".")[0], one)
    if not wanted and len(classes) == 1:
        return next(iter(classes.values()))
    if wanted in classes:
        return classes[wanted]
    raise Misuse(
        f"say which class of {loaded.source} is meant, as {loaded.source}::NAME; there is: "
        f"{', '.join(classes) or 'none'}"
    )


def app_of(loaded: Loaded) -> App:
    """The app that is meant, by its variable or alone. Misuse lists what there is."""
    apps = _apps(loaded)
    if not loaded.name and len(apps) == 1:
        return next(iter(apps.values()))
    if loaded.name in apps:
        return apps[loaded.name]
    raise Misuse(
        f"say which app of {loaded.source} is meant, as {loaded.source}::NAME; there is: {', '.join(apps) or 'none'}"
    )


def _apps(loaded: Loaded) -> dict[str, App]:
    """The apps of the module by the variable that holds them; one that others include counts once."""
    found: dict[str, App] = {}
    for name, value in vars(loaded.module).items():
        if isinstance(value, App) and not any(value is app for app in found.values()):
            found[name] = value
    if not found:
        raise Misuse(f"{loaded.source} has no App: write `app = modal_nb.App('a-name')` and decorate with it")
    return found


def _all(app: App) -> Iterator[Entry | Served]:
    for name, entry in app.registered_entrypoints.items():
        yield Entry(app, name, entry)
    for name, function in app.registered_functions.items():
        yield Served(app, name, _spec(function), function=function)
    for name, cls in app.registered_classes.items():
        spec = cls.__modal__.spec
        for method in () if spec is None else spec.methods:
            yield Served(app, f"{name}.{method.name}", method, cls=cls)


def _spec(function: AppFunction) -> MethodSpec:
    spec = function.__modal__.spec
    assert spec is not None
    return spec.methods[0]


def _means(one: Entry | Served, name: str) -> bool:
    if one.label == name:
        return True
    cls = one.cls if isinstance(one, Served) else None
    spec = cls.__modal__.spec if cls is not None else None
    return spec is not None and len(spec.methods) == 1 and one.label.partition(".")[0] == name


def _only(loaded: Loaded, apps: Mapping[str, App]) -> Entry | Served:
    """Where nothing is named: the one entrypoint, else the one function or method."""
    if len(apps) > 1:
        raise Misuse(f"{loaded.source} has several apps, say what to run: {_listed(apps)}")
    (app,) = apps.values()
    everything = list(_all(app))
    entries = [one for one in everything if isinstance(one, Entry)]
    candidates = entries or everything
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        raise Misuse(f"the app of {loaded.source} has nothing to run: no entrypoint, function or method")
    raise Misuse(f"say what of {loaded.source} to run, as {loaded.source}::NAME; there is: {_listed(apps)}")


def _listed(apps: Mapping[str, App]) -> str:
    labels = [
        f"{variable}.{one.label}" if len(apps) > 1 else one.label
        for variable, app in apps.items()
        for one in _all(app)
    ]
    return ", ".join(labels) or "nothing"
