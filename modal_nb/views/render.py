"""A panel without a front end: a plain HTML table (nbconvert, GitHub) and one line of text. Pure.

Every text in it may be hostile: a class name, a parameter, a cause. Nothing of it is ever markup here.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import Any

from modal_nb.client.facts import facts, looked_into
from modal_nb.protocol.reports import Report

#: letters of one cell
_LONGEST = 200
#: what MathJax is told to leave alone: JupyterLab typesets HTML outputs
NO_MATH = "tex2jax_ignore mathjax_ignore"
_SETTINGS = ("min_containers", "max_containers", "buffer_containers", "scaledown_window")
_COLUMNS = ("container", "state", "inputs served", "memory", "CPU", "what happened")
#: control, format (bidi overrides, zero-width), surrogates, private, unassigned, line and paragraph separators
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def text(title: str) -> str:
    """The one line; the same in every run, so that a test of a notebook can compare it."""
    return f"<panel of {plain(title)}>"


def page(title: str, state: dict[str, Any]) -> str:
    """The table of everything that ``state`` (as ``PoolModel.state`` gives it) holds."""
    pools, parts = list(state["pools"]), []
    if state["message"] or not (pools or state["apps"]):
        parts.append(_line(state["message"] or "no container yet"))
    for app in state["apps"]:
        own = [report for report in pools if report["app"]["id"] == app["id"]]
        pools = [report for report in pools if report not in own]
        parts += [_app(app, bare=not own), *map(_pool, own)]
    parts += map(_pool, pools)
    return f'<div class="{NO_MATH}"><p>{_strong(title)}</p>{"".join(parts)}</div>'


def plain(value: object) -> str:
    """One short line of visible characters: what cannot be seen is shown by its code."""
    shown = "".join(_visible(letter) for letter in str(value)[: _LONGEST + 1])
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _visible(letter: str) -> str:
    if unicodedata.category(letter) in _HIDDEN:
        return f"\\x{ord(letter):02x}" if ord(letter) < 256 else f"\\u{ord(letter):04x}"
    return letter


def escaped(value: object) -> str:
    """For HTML, in an element of its own direction; ``$`` and backticks start nothing in any dialect."""
    return f"<bdi>{html.escape(plain(value)).replace('$', '&#36;').replace('`', '&#96;')}</bdi>"


def _strong(value: object) -> str:
    return f"<strong>{escaped(value)}</strong>"


def _line(value: object) -> str:
    return f"<p>{escaped(value)}</p>"


def _app(app: dict[str, Any], *, bare: bool) -> str:
    head = f"{_strong('app ' + app['name'])} {escaped(app['origin'])}"
    classes = f"; no pool yet of {', '.join(app['classes'])}" if app["classes"] else "; no pool yet"
    return f"<p>{head}{escaped(classes) if bare else ''}</p>"


def _pool(report: Report) -> str:
    version = f"version {report['version']}" if report["version"] else ""
    names = [report["service"], report["parameters"], report["variant"], version]
    head = f"{_strong(' · '.join(name for name in names if name))} {escaped(report['state'])}"
    settings = ", ".join(f"{name}={_setting(report['autoscaler'][name])}" for name in _SETTINGS)
    numbers = f"{report['queued']} queued, {report['running']} running; {settings}"
    lines = [head, escaped(numbers), escaped(report["why"]), "; ".join(map(escaped, facts(report)))]
    return f"<p>{'<br>'.join(line for line in lines if line)}</p>{_table(report)}"


def _setting(value: int | None) -> str:
    return "no limit" if value is None else str(value)


def _table(report: Report) -> str:
    containers = report["containers"]
    if not containers:
        return ""
    rows = "".join(_row("td", _cells(container)) for container in containers)
    return f"<table><thead>{_row('th', _COLUMNS)}</thead><tbody>{rows}</tbody></table>"


def _row(tag: str, cells: Iterable[object]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escaped(cell)}</{tag}>' for cell in cells)}</tr>"


def _cells(container: dict[str, Any]) -> tuple[str, ...]:
    memory, cpu = container["memory"], container["cpu"]
    state = str(container["state"])
    if state == "busy" and container["slots"] > 1:
        state = f"busy {container['running']} of {container['slots']}"
    return (
        container["id"],
        state,
        str(container["served"]),
        "" if memory is None else f"{memory} MiB",
        "" if cpu is None else f"{cpu:.2f} cores",
        container["cause"] or looked_into(container) or container["reason"] or container["phase"],
    )
