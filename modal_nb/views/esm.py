"""The panel's front end as one ES module: the files in ``static``, joined when the kernel loads them. No build step."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

#: the file that knows the widget's model; the others are found by its imports
ENTRY = "panel.js"
STYLE = "panel.css"

Read = Callable[[str], str]

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";[ \t]*$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=((?:async )?function\*?|const|let|class) ([\w$]+))", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import\b|export\b(?! default\b)).*$", re.MULTILINE)


def module() -> str:
    """The JavaScript of the panel."""
    return joined(ENTRY, _read)


def style() -> str:
    """Its CSS."""
    return _read(STYLE)


def joined(entry: str, read: Read) -> str:
    """``entry`` and all it imports, each in a function of its own so that private names cannot meet.

    ValueError for an import or export in a form that this cannot join, and for imports in a circle.
    """
    parts: dict[str, str] = {}
    _add(entry, read, parts, ())
    main = parts.pop(entry)
    return "\n".join([*parts.values(), main])


def _add(name: str, read: Read, parts: dict[str, str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"{' -> '.join([*above, name])}: imports in a circle cannot be joined")
    if name in parts:
        return
    source = read(name)
    for found in _IMPORT.finditer(source):
        _add(found[2], read, parts, (*above, name))
    exports = [found[2] for found in _EXPORT.finditer(source)]
    body = _EXPORT.sub("", _IMPORT.sub(_taken, source))
    left = _LEFT_OVER.search(body)
    if left is not None or (above and "export default" in body):
        raise ValueError(f"{name}: cannot be joined: {left[0] if left else 'export default'}")
    if above:
        body = f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
    parts[name] = f"// {name}\n{body}"


def _taken(found: re.Match[str]) -> str:
    names = re.sub(r"\s+as\s+", ": ", found[1]).strip()
    return f"const {{ {names} }} = {_variable(found[2])};"


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _read(name: str) -> str:
    return files("modal_nb.views").joinpath("static", name).read_text(encoding="utf-8")
