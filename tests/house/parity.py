"""Modal's rules, one by one, with the tests that show what becomes of each here: tests/parity/*.toml.

`python -m tests.house.parity` writes docs/parity.md from them.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.house.public_names import is_a_test
from tests.house.tree import ROOT

TABLES = ROOT / "tests" / "parity"
PAGE = ROOT / "docs" / "parity.md"
COMMAND = "python -m tests.house.parity"

#: what may become of a rule, in the words of the page
VERDICTS = {
    "supported": "as in Modal",
    "differs": "it works, in another way: the reason stands beside it",
    "refused": "an error names it at its first use, before anything is started",
    "not yet": "missing so far: the reason says what there is",
}
KEYS = {"rule", "verdict", "why", "tests"}

OPENING = """\
# What is as in Modal

For users who bring code from Modal: every rule of its `Cls` that we know of, whether it holds here, and the test that
shows it. The rules follow Modal 1.6 and are told in our own words. Read the lines that are not `supported` before you
move; an option that cannot be honoured is refused by its name, so such a line is never met in silence.

This page is made from the tables in `tests/parity/`: change them, then run `{command}`.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a table."""

    rule: str
    verdict: str
    why: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One table: a file."""

    file: str
    title: str
    rules: tuple[Rule, ...]


def tables() -> dict[str, dict[str, Any]]:
    """What stands in each file, as it stands there."""
    files = sorted(TABLES.glob("*.toml"))
    return {file.name: tomllib.loads(file.read_text(encoding="utf-8")) for file in files}


def faults(table: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the form of one table."""
    if not isinstance(table.get("title"), str) or set(table) - {"title", "rule"}:
        yield "a table has a title and rules, nothing else"
    for row in table.get("rule", []):
        yield from (f"{fault}: {row.get('rule', row)}" for fault in _faults_of_row(row))


def _faults_of_row(row: dict[str, Any]) -> Iterator[str]:
    sentence, verdict, why = row.get("rule"), row.get("verdict"), row.get("why", "")
    if set(row) - KEYS:
        yield f"unknown keys {sorted(set(row) - KEYS)}"
    for name, text in (("rule", sentence), ("why", why)):
        if not isinstance(text, str) or text != " ".join(text.split()) or (text and text[-1] not in ".!?"):
            yield f"`{name}` is no sentence on one line"
    if not sentence:
        yield "`rule` is missing"
    if verdict not in VERDICTS:
        yield f"the verdict {verdict!r} is none of {', '.join(VERDICTS)}"
    elif verdict != "supported" and not why:
        yield f"`{verdict}` needs a `why`"
    tests = row.get("tests", [])
    if not isinstance(tests, list) or (not tests and verdict != "not yet"):
        yield f"`{verdict}` needs `tests`, a list"
    else:
        yield from (f"there is no test {test_id!r}" for test_id in tests if not is_a_test(test_id))


def sections() -> list[Section]:
    return [
        Section(
            name,
            table["title"],
            tuple(
                Rule(row["rule"], row["verdict"], row.get("why", ""), tuple(row.get("tests", ())))
                for row in table["rule"]
            ),
        )
        for name, table in tables().items()
    ]


def page(found: Sequence[Section]) -> str:
    """docs/parity.md as it has to be."""
    counts = Counter(rule.verdict for section in found for rule in section.rules)
    parts = [
        OPENING.format(command=COMMAND),
        _lines("Verdict | Rules | Meaning", [(v, str(counts[v]), VERDICTS[v]) for v in VERDICTS]),
        *(_section(section) for section in found),
    ]
    return "\n".join(parts)


def _section(section: Section) -> str:
    rows = [(rule.rule, rule.verdict, rule.why, ", ".join(map(_link, rule.tests))) for rule in section.rules]
    return f"## {section.title}\n\n" + _lines("Rule | Verdict | Why | Tests", rows)


def _lines(head: str, rows: Sequence[Sequence[str]]) -> str:
    ruler = "| --- " * len(head.split(" | ")) + "|"
    cells = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "\n".join([f"| {head} |", ruler, *(f"| {row} |" for row in cells), ""])


def _link(test_id: str) -> str:
    file, _, name = test_id.partition("::")
    return f"[`{name}`](../{file})"


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(sections()), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")


if __name__ == "__main__":
    main()
