"""How commands print: for people on a terminal, plain lines and whole words for everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: columns where nobody looks: a pipe takes lines as long as they are
_PIPE_WIDTH = 10_000

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def commands(about: str | None = None) -> typer.Typer:
    """A place for one command, or with ``about`` for a group of them. Their help has no boxes."""
    return typer.Typer(
        help=about, no_args_is_help=about is not None, add_completion=False, rich_markup_mode=None
    )


def console() -> Console:
    """Stdout: without colours and as wide as need be where it is no terminal."""
    made = Console(highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def print_json(value: Any) -> None:
    typer.echo(msgspec.json.encode(value))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    whole: Sequence[str] = (),
    indent: int = 0,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Columns of texts, aligned, without lines around them.

    ``whole`` names those that are there to be copied. ``styles``: how a terminal shows cells with these texts.
    """
    out = console()
    if not out.is_terminal:
        _print_plain(columns, rows, indent)
        return
    table = Table(box=None, padding=(0, 2, 0, indent), header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold" if name in whole else "ellipsis")
    for row in rows:
        # as Text: what users have named is no markup
        table.add_row(*(Text(str(cell), style=(styles or {}).get(str(cell), "")) for cell in row))
    out.print(table, soft_wrap=False)


def _print_plain(columns: Sequence[str], rows: Sequence[Sequence[object]], indent: int) -> None:
    lines = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo(" " * indent + text.rstrip())


@contextmanager
def doing(what: str) -> Iterator[None]:
    """A spinner on stderr while something takes its time; nothing where that is no terminal."""
    errors = Console(stderr=True)
    if not (errors.is_terminal and sys.stdout.isatty()):
        yield
        return
    with errors.status(what):
        yield
