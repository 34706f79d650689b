"""The tables of Modal's rules are well formed, name tests that exist, and are what docs/parity.md shows."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.house import parity

pytestmark = pytest.mark.house


@pytest.mark.parametrize("name", parity.tables())
def test_a_table_is_well_formed_and_its_tests_exist(name):
    assert not list(parity.faults(parity.tables()[name]))


def test_no_rule_is_told_twice():
    rules = Counter(rule.rule for section in parity.sections() for rule in section.rules)
    assert not [rule for rule, count in rules.items() if count > 1]


def test_the_page_is_what_the_tables_give():
    shown = parity.PAGE.read_text(encoding="utf-8") if parity.PAGE.exists() else ""
    # the two texts are too long to be compared by people, and only one thing helps
    if shown != parity.page(parity.sections()):
        pytest.fail(f"docs/parity.md is not what the tables give: run `{parity.COMMAND}`")


GOOD = {
    "rule": "It holds.",
    "verdict": "supported",
    "tests": ["tests/house/test_parity.py::test_no_rule_is_told_twice"],
}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rule": ""}, "`rule` is missing"),
        ({"rule": "no end"}, "`rule` is no sentence on one line"),
        ({"rule": "Two\nlines."}, "`rule` is no sentence on one line"),
        ({"verdict": "maybe"}, "the verdict 'maybe' is none of supported, differs, refused, not yet"),
        ({"verdict": "differs"}, "`differs` needs a `why`"),
        ({"verdict": "not yet", "tests": []}, "`not yet` needs a `why`"),
        ({"tests": []}, "`supported` needs `tests`, a list"),
        (
            {"tests": ["tests/house/test_parity.py::test_nobody"]},
            "there is no test 'tests/house/test_parity.py::",
        ),
        ({"test": []}, "unknown keys ['test']"),
    ],
)
def test_the_check_finds_what_it_looks_for(change, fault):
    (found,) = parity.faults({"title": "A title", "rule": [GOOD | change]})
    assert found.startswith(fault)


def test_the_check_lets_a_good_table_pass():
    later = {"rule": "It will.", "verdict": "not yet", "why": "Being built."}
    assert not list(parity.faults({"title": "A title", "rule": [GOOD, later]}))
    assert list(parity.faults({"rule": [GOOD]})) == ["a table has a title and rules, nothing else"]


def test_a_row_becomes_a_line_of_the_page():
    rule = parity.Rule("A | B.", "differs", "Because.", ("tests/a/test_b.py::test_c[d]",))
    text = parity.page([parity.Section("01.toml", "First", (rule,))])
    assert "| differs | 1 | " in text
    assert "## First\n" in text
    assert "| A \\| B. | differs | Because. | [`test_c[d]`](../tests/a/test_b.py) |\n" in text
