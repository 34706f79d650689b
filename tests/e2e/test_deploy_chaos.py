"""Spawned inputs of a deployed app while containers are killed in the middle of them, and the supervisor too."""

from __future__ import annotations

import pytest

import modal_nb as modal
from tests.chaos.client import app
from tests.chaos.history import expected, judge, reruns
from tests.chaos.storm import CI, Storm


@pytest.mark.timeout(400)
def test_no_spawned_input_is_lost_or_has_two_outcomes(home, tmp_path):
    app.deploy()
    storm = Storm(home, tmp_path, CI, seed=5, client="spawner")
    history = storm.rage()
    print(
        f"{len(history.invoked)} inputs, {storm.kills} kills in the middle of an input, {len(storm.ends)} of the "
        f"supervisor, {reruns(history)} reruns"
    )
    assert judge(history) == []
    assert len(history.invoked) == CI.inputs
    assert storm.kills >= CI.kills
    assert len(storm.ends) == CI.supervisor_kills
    # who asks later, and from another process, is told the same
    ids = dict(line.split() for path in tmp_path.glob("ids-*") for line in path.read_text().splitlines())
    assert set(ids) == set(history.invoked)
    told = modal.FunctionCall.gather(*(modal.FunctionCall.from_id(call) for call in ids.values()))
    assert told == [(name, expected(name)) for name in ids]
    app.stop()
