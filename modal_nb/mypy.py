"""A plugin for mypy, which does not ask decorators what they make of a class.

In the configuration of mypy: ``plugins = ["modal_nb.mypy"]``. Then the constructor of a class below ``@app.cls()`` has
the class's parameters, and ``with_options``, ``update_autoscaler`` and the like are known on it. Pyright knows the
constructor by itself. Loaded by mypy alone; nothing of modal_nb imports it.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.mro import calculate_mro
from mypy.nodes import (
    CallExpr,
    ClassDef,
    Expression,
    Import,
    ImportAll,
    ImportBase,
    ImportFrom,
    MemberExpr,
    MypyFile,
    TypeInfo,
)
from mypy.plugin import ClassDefContext, Plugin
from mypy.types import Instance

HOME = "modal_nb.client.served_class"
BASE = "ServedClass"


class ModalPlugin(Plugin):
    """Makes ``ServedClass`` a base of every class that stands below ``@<something>.cls(...)``.

    What the something is cannot be known when mypy builds its classes: variables have no types yet.
    """

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """No import leads to the base: it is read along with whatever names modal_nb."""
        ours = file.fullname.partition(".")[0] == "modal_nb"
        return [] if ours or not any(map(_names_us, file.imports)) else [(10, HOME, -1)]

    def get_customize_class_mro_hook(self, fullname: str) -> Callable[[ClassDefContext], None] | None:
        """Asked for every class, before mypy looks for bases that make constructors."""
        return _add_base


def _add_base(context: ClassDefContext) -> None:
    definition = context.cls
    if not any(_is_app_cls(decorator) for decorator in definition.decorators):
        return
    found = context.api.lookup_fully_qualified_or_none(f"{HOME}.{BASE}")
    if found is None or not isinstance(found.node, TypeInfo) or found.node in definition.info.mro:
        return
    _insert(definition, found.node)


def _insert(definition: ClassDef, base: TypeInfo) -> None:
    info = definition.info
    info.bases.append(Instance(base, []))
    # `object` stands last in every order of bases, so it may not come before one of ours
    info.bases[:] = [one for one in info.bases if one.type.fullname != "builtins.object"]
    info.mro = []
    calculate_mro(info)


def _is_app_cls(decorator: Expression) -> bool:
    return (
        isinstance(decorator, CallExpr)
        and isinstance(decorator.callee, MemberExpr)
        and decorator.callee.name == "cls"
    )


def _names_us(statement: ImportBase) -> bool:
    if isinstance(statement, Import):
        names = [name for name, _ in statement.ids]
    else:
        names = [statement.id] if isinstance(statement, ImportFrom | ImportAll) else []
    return any(name.partition(".")[0] == "modal_nb" for name in names)


def plugin(_version: str) -> type[ModalPlugin]:
    """What mypy calls to get the plugin."""
    return ModalPlugin
