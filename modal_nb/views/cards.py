"""A small card in a notebook, as inert HTML: one look for classes, functions and calls. Pure.

Its colours are those of the page around it, light or dark, and its frame that of JupyterLab where there is one. Without
any style (GitHub strips them) it is a heading and a table.
"""

from __future__ import annotations

from modal_nb.client.cards import Card, Row
from modal_nb.views.render import NO_MATH, escaped

#: lines of one row
_MOST = 30
_FRAME = (
    "max-width:60em;padding:8px 12px;border:1px solid var(--jp-border-color2, currentColor);border-radius:4px;"
    "overflow-wrap:anywhere"
)
_LINE = "margin:0 0 4px"
_TABLE = "margin:0;border:0;font-size:inherit;border-collapse:collapse;table-layout:auto"
_CELL = "padding:2px 12px 2px 0;text-align:left;vertical-align:top;background:none;white-space:normal;max-width:none"
_HEAD = f"{_CELL};font-weight:600;overflow-wrap:normal"
_CODE = f"{_CELL};font-family:var(--jp-code-font-family, ui-monospace, monospace)"


def page(card: Card) -> str:
    """The card; every text of it may be hostile but ``kind``."""
    says = f'<p style="{_LINE}">{escaped(card.says)}</p>' if card.says else ""
    rows = "".join(map(_row, card.rows))
    table = f'<table style="{_TABLE}"><tbody>{rows}</tbody></table>' if rows else ""
    head = f'<p style="{_LINE}">{card.kind} <strong>{escaped(card.name)}</strong></p>'
    return f'<div class="{NO_MATH}" role="group" aria-label="{card.kind}" style="{_FRAME}">{head}{says}{table}</div>'


def _row(row: Row) -> str:
    lines = [escaped(line) for line in row.lines[:_MOST]]
    if len(row.lines) > _MOST:
        lines.append(escaped(f"and {len(row.lines) - _MOST:,} more"))
    style = _CODE if row.code else _CELL
    return (
        f'<tr style="background:none"><th scope="row" style="{_HEAD}">{row.heading}</th>'
        f'<td style="{style}">{"<br>".join(lines)}</td></tr>'
    )
