"""What is said of a pool that runs its inputs side by side, in batches or again. The panel's front end says the same:
labextension/tests/facts.test.js reads the same cases.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modal_nb.client.facts import facts
from tests.views.reports import report

CASES = json.loads(
    Path(__file__).parent.with_name("views").joinpath("facts.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=[case["about"] for case in CASES])
def test_facts_are_said_where_they_apply(case):
    assert facts(report(**case["report"])) == case["facts"]
