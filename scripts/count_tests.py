"""Adds up pytest's JUnit reports: the last line of CI. A report that is not there counts as one failure."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def counts(report: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of one pytest run."""
    if not report.exists():
        return 0, 1, 0
    total = failed = skipped = 0
    for suite in ET.parse(report).iter("testsuite"):  # noqa: S314  pytest has just written it
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return total - failed - skipped, failed, skipped


def main() -> int:
    stage_failed, *reports = sys.argv[1:]
    passed, failed, skipped = (sum(column) for column in zip(*map(counts, map(Path, reports)), strict=True))
    if stage_failed != "0" and not failed:
        failed = 1  # a stage ended badly outside of any test
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
