"""How the inputs of a pool run, in words: what the table and the terminal say, the live panel says, too.

``facts.json`` holds the cases; labextension/tests/facts.test.js reads them as well.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modal_nb.client.facts import facts
from tests.views.reports import report

CASES = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_the_facts_of_a_pool(case):
    assert facts(report(**case["report"])) == case["facts"]


def test_a_report_of_a_supervisor_that_does_not_know_of_these_says_nothing():
    assert facts({"service": "Forest", "queued": 3}) == []
