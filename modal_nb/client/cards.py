"""What a class, a function or a call shows of itself in a notebook, as data. Finding out starts nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from modal_nb.spec import retries
from modal_nb.spec.cls_spec import label_of
from modal_nb.spec.options import Options
from modal_nb.spec.retries import Retries

if TYPE_CHECKING:
    from modal_nb.client.cls import Cls
    from modal_nb.client.method import Function
    from modal_nb.client.obj import Obj
    from modal_nb.spec.cls_spec import ClsSpec, MethodSpec, ParameterSpec

#: options of which only the names are told: what is in them is not for everybody who reads a notebook
_NAMES_ONLY = {"env", "secrets", "volumes", "network_file_systems", "experimental_options"}
#: where the option has another name than the record's field
_OPTION = {"single_use": "single_use_containers"}
#: what nobody can set
_UNSET = {"crash_budget", "start_budget"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a card, or several with one heading."""

    heading: str
    lines: tuple[str, ...]
    #: they are code
    code: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """``kind`` is a word of ours; every other text may be anybody's."""

    kind: str
    name: str
    rows: tuple[Row, ...]
    #: one sentence; "": none
    says: str = ""


def of_cls(cls: Cls) -> Card:
    """Of a class nothing of which runs."""
    declaration = cls.__modal__
    spec, user_cls = declaration.spec, declaration.user_cls
    rows = []
    if spec is not None:
        methods = [_method(user_cls, method) for method in spec.methods]
        rows = [
            Row("parameters", tuple(map(_parameter, spec.parameters))),
            Row("methods", tuple(methods)),
            Row("options", tuple(_options(declaration.options))),
            Row("runs", (f"nothing yet: {_first_call(spec)}",), code=False),
        ]
    name = f"{declaration.name} of {declaration.home}"
    return Card("Cls", name, _full(rows), _first_line(user_cls))


def of_function(obj: Obj, method: MethodSpec, function: Function) -> Card:
    """Of a method of an instance, or of a function."""
    declaration = obj.__modal__.declaration
    label = label_of(declaration.name, method.name)
    known = declaration.spec is not None
    faces = ".remote_gen(...)" if method.is_generator else ".remote(...), .map(...), .spawn(...)"
    here = f"; {label}.local(...) runs it here" if declaration.user_cls is not None else ""
    rows = [
        Row("signature", (_signed(method, getattr(function, "__wrapped__", None)),) if known else ()),
        Row("instance", ()) if label == method.name else Row("instance", (repr(obj),)),
        Row("call it", (f"{faces}{here}",), code=False),
    ]
    if method.web is not None:
        rows[-1] = Row("call it", (f"it is a {method.web}, which is not called",), code=False)
    return Card("Function", f"{label} of {declaration.home}", _full(rows), _first_line(function))


def _full(rows: list[Row]) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.lines)


def _method(user_cls: type | None, method: MethodSpec) -> str:
    found = inspect.getattr_static(user_cls, method.name, None) if user_cls is not None else None
    return _signed(method, getattr(found, "raw_f", None))


def _signed(method: MethodSpec, raw: Any) -> str:
    """Its name with its parameters, and what is special about it."""
    marks = ["async"] * method.is_async + ["generator"] * method.is_generator
    if method.batching is not None:
        marks.append(f"batches of up to {method.batching.max_batch_size:,}")
    if method.web is not None:
        marks.append(method.web)
    comment = f"  # {', '.join(marks)}" if marks else ""
    return f"{method.name}{_parameters(raw)}{comment}"


def _parameters(raw: Any) -> str:
    try:
        signature = inspect.signature(raw)
        own = [one.replace(annotation=_plain(one.annotation)) for one in signature.parameters.values()]
        own = own[1:] if own and own[0].name == "self" else own
        returned = _plain(signature.return_annotation)
        return str(signature.replace(parameters=own, return_annotation=returned))
    except Exception:  # noqa: BLE001 - not known, or a default of the user's that has no text
        return "(...)"


class _Text:
    """An annotation that is kept as text; shown without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _plain(annotation: Any) -> Any:
    return _Text(annotation) if isinstance(annotation, str) else annotation


def _parameter(one: ParameterSpec) -> str:
    return f"{one.name}: {one.type.value}{f' = {one.default!r}' if one.has_default else ''}"


def _options(options: Options) -> Iterator[str]:
    """Those that are set: what differs from a class without any."""
    plain = Options()
    for field in fields(options):
        value, without = getattr(options, field.name), getattr(plain, field.name)
        if value == without:
            continue
        if field.name in _NAMES_ONLY:
            yield f"{field.name}: {_names(field.name, value)}"
        elif isinstance(value, Retries):
            short = retries.declared(value.max_retries) == value
            yield f"retries={value.max_retries if short else value!r}"
        elif is_dataclass(value) and (without is None or is_dataclass(without)) and field.name != "image":
            yield from _set(value, without)
        else:
            yield f"{field.name}={value!r}"


def _set(record: Any, without: Any) -> Iterator[str]:
    for field in fields(record):
        value = getattr(record, field.name)
        default = None if without is None else getattr(without, field.name)
        if value != default and field.name not in _UNSET:
            yield f"{_OPTION.get(field.name, field.name)}={value!r}"


def _names(option: str, pairs: Any) -> str:
    return str(len(pairs)) if option == "secrets" else ", ".join(str(name) for name, _ in pairs)


def _first_call(spec: ClsSpec) -> str:
    needed = ", ".join(f"{one.name}=..." for one in spec.parameters if not one.has_default)
    called = next((one for one in spec.methods if one.web is None), None)
    if called is None:
        return "the first use of an instance starts a container"
    face = "remote_gen" if called.is_generator else "remote"
    return f"the first call starts a container, such as {spec.name}({needed}).{called.name}.{face}(...)"


def _first_line(documented: Any) -> str:
    text = getattr(documented, "__doc__", None)
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return lines[0] if lines else ""
