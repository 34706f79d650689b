"""Two clients while containers are killed in the middle of inputs, and the supervisor too."""

from __future__ import annotations

import pytest

from tests.chaos.history import judge, reruns
from tests.chaos.storm import CI, Storm


@pytest.mark.timeout(400)
def test_no_input_is_lost_or_wrong_or_answered_twice_over_kills_of_containers_and_supervisors(home, tmp_path):
    storm = Storm(home, tmp_path, CI, seed=3)
    history = storm.rage()
    print(
        f"{len(history.invoked)} inputs, {storm.kills} kills in the middle of an input, {len(storm.ends)} of the "
        f"supervisor, {reruns(history)} reruns"
    )
    assert judge(history) == []
    assert len(history.invoked) == CI.inputs
    assert storm.kills >= CI.kills
    assert len(storm.ends) == CI.supervisor_kills
    assert reruns(history) >= CI.kills
