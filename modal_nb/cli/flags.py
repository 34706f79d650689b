"""Flags of a command line made from a signature."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

from modal_nb.cli.misuse import Misuse

# older versions of click have no generic types
if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

_LISTS = (list, collections.abc.Sequence, collections.abc.Iterable)
_UNIONS = (Union, types.UnionType)


class _Converted(ParamType):
    """A value that a function makes of the text; ``name`` stands in the help."""

    def __init__(self, name: str, of: Callable[[str], Any], example: str) -> None:
        self.name = name
        self._of = of
        self._example = example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._of(value)
        except ValueError:
            self.fail(f"{value!r} is not a {self.name}, such as {self._example}", param, ctx)


_TYPES: dict[Any, ParamType] = {
    str: click.STRING,
    int: click.INT,
    float: click.FLOAT,
    bool: click.BOOL,
    bytes: _Converted("bytes", str.encode, "text"),
    datetime: _Converted("datetime", datetime.fromisoformat, "2026-01-31T12:00"),
    Path: _Converted("path", Path, "folder/file"),
    Any: click.STRING,
    object: click.STRING,
    inspect.Parameter.empty: click.STRING,
}


class _Choices(ParamType):
    """One of some values, by what they are called."""

    name = "choice"

    def __init__(self, choices: Mapping[str, Any]) -> None:
        self._choices = choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self._choices:
            self.fail(f"{value!r} is not one of {', '.join(self._choices)}", param, ctx)
        return self._choices[value]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self._choices)}]"


@dataclass(frozen=True, slots=True)
class Flag:
    """How one parameter is given on a command line."""

    parameter: inspect.Parameter
    type: ParamType
    repeated: bool

    def option(self) -> click.Parameter:
        name, default = self.parameter.name, self.parameter.default
        if self.parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            return click.Argument([name], type=self.type, nargs=-1)
        required = default is inspect.Parameter.empty
        switch = self.type is click.BOOL and not self.repeated
        spelled = f"--{name.replace('_', '-')}"
        # click takes a default that is given, even None, for a value
        optional: Any = {} if required else {"default": None}
        return click.Option(
            [f"{spelled}/--no-{spelled[2:]}" if switch else spelled, name],
            type=self.type,
            required=required,
            multiple=self.repeated,
            help=None if required or default is None or default == "" else f"[default: {_shown(default)}]",
            **optional,
        )

    def value(self, given: Any) -> Any:
        """As the function gets it. What nobody gave is the function's own default, untouched by click."""
        if given is None or given == ():
            return () if self.parameter.kind is inspect.Parameter.VAR_POSITIONAL else self.parameter.default
        return list(given) if self.repeated else given


class Flags:
    """The flags of a callable; ``parse`` turns a command line into its arguments."""

    def __init__(self, name: str, about: str | None, parameters: Sequence[inspect.Parameter]) -> None:
        """``about``: its docstring, of which the help has the first line. Misuse for a parameter that no flag can be
        made of, unless it has a default: then it has no flag.
        """
        self._flags = [flag for one in parameters if (flag := _flag(name, one)) is not None]
        lines = (about or "").strip().splitlines()
        self._command = click.Command(
            name,
            params=[flag.option() for flag in self._flags],
            help=lines[0] if lines else None,
            context_settings={"token_normalize_func": _dashes},
        )

    def parse(self, usage: str, arguments: Sequence[str]) -> dict[str, Any] | None:
        """The values by parameter; None when help was asked for, which is printed. Misuse names what does not fit.

        ``usage``: how the command line begins, for the help.
        """
        try:
            context = self._command.make_context(usage, list(arguments))
        except click.exceptions.Exit:
            return None
        except click.ClickException as error:
            raise Misuse(f"{error.format_message()} (see {usage} --help)") from None
        return {flag.parameter.name: flag.value(context.params[flag.parameter.name]) for flag in self._flags}


def _dashes(token: str) -> str:
    return token.replace("_", "-")


def parameters_of(function: Callable[..., Any], *, skip: int = 0) -> list[inspect.Parameter]:
    """The parameters without the first ``skip``, with annotations evaluated where that can be done."""
    try:
        signature = inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 - an annotation that only a type checker sees; then they are texts
        signature = inspect.signature(function)
    return list(signature.parameters.values())[skip:]


def item_of(parameter: inspect.Parameter) -> inspect.Parameter:
    """Of a batched function, which gets lists: the parameter as its caller gives it."""
    if get_origin(parameter.annotation) in _LISTS and get_args(parameter.annotation):
        return parameter.replace(annotation=get_args(parameter.annotation)[0])
    return parameter


def called(
    function: Callable[..., Any], parameters: Sequence[inspect.Parameter], values: Mapping[str, Any]
) -> Any:
    """Call it with what ``parse`` gave, each argument in the way that its parameter asks for."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    # what stands before *args can only be given by position
    first = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    for one in parameters:
        if one.name not in values:
            continue
        if one.kind is inspect.Parameter.VAR_POSITIONAL:
            positional += values[one.name]
            first = False
        elif one.kind is inspect.Parameter.POSITIONAL_ONLY or (
            first and one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        ):
            positional.append(values[one.name])
        else:
            named[one.name] = values[one.name]
    return function(*positional, **named)


def _flag(owner: str, parameter: inspect.Parameter) -> Flag | None:
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return None
    annotation = _without_none(parameter.annotation)
    repeated = annotation is list or get_origin(annotation) in _LISTS
    if repeated:
        annotation = (*map(_without_none, get_args(annotation)), str)[0]
    found = _type(annotation)
    if found is not None:
        return Flag(parameter, found, repeated)
    if parameter.default is not inspect.Parameter.empty:
        return None
    raise Misuse(
        f"no flag can be made of the parameter {parameter.name!r} of {owner}, whose type is "
        f"{inspect.formatannotation(parameter.annotation)}: call it from an "
        "@app.local_entrypoint(), or give it a default"
    )


def _without_none(annotation: Any) -> Any:
    """``Optional[X]`` as X, and ``Annotated[X, ...]`` too."""
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in _UNIONS:
        others = [one for one in get_args(annotation) if one is not type(None)]
        if len(others) == 1:
            return _without_none(others[0])
    return annotation


def _type(annotation: Any) -> ParamType | None:
    if get_origin(annotation) is Literal:
        return _Choices({str(value): value for value in get_args(annotation)})
    if isinstance(annotation, enum.EnumMeta):
        members: list[enum.Enum] = list(annotation)
        return _Choices({_called(one): one for one in members})
    try:
        return _TYPES.get(annotation)
    except TypeError:  # it cannot be hashed
        return None


def _called(member: enum.Enum) -> str:
    return member.value if isinstance(member.value, str) else member.name


def _shown(default: Any) -> str:
    if isinstance(default, enum.Enum):
        return _called(default)
    return default.decode(errors="replace") if isinstance(default, bytes) else str(default)
