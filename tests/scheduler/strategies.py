"""What hypothesis may declare for the state machine."""

from __future__ import annotations

import hypothesis.strategies as st

from modal_nb.spec.limits import Limits
from modal_nb.spec.resources import MachineLimit
from modal_nb.spec.retries import RetryPolicy
from modal_nb.spec.scaling import Autoscaler, Batching

picks = st.integers(0, 1000)
autoscalers = st.builds(
    lambda least, more, buffer, window: Autoscaler(
        least, None if more is None else max(1, least + more), buffer, window
    ),
    st.integers(0, 2),
    st.sampled_from([None, 0, 0, 1, 3]),
    st.integers(0, 1),
    st.sampled_from([2, 60]),
)
limits = st.builds(
    Limits,
    timeout=st.sampled_from([2.0, 300.0]),
    startup_timeout=st.sampled_from([5.0, 300.0]),
    single_use=st.booleans(),
    crash_budget=st.integers(0, 2),
    start_budget=st.integers(1, 3),
)
policies = st.sampled_from(
    [
        None,
        None,
        RetryPolicy(1, 1.0, 0.0, 1.0, on_timeout=True),
        RetryPolicy(2, 2.0, 1.0, 2.0, on_timeout=False),
    ]
)
batchings = st.sampled_from(
    [
        (),
        (),
        (("a", Batching(2, 0)),),
        (("a", Batching(3, 1000)),),
        (("a", Batching(2, 0)), ("b", Batching(2, 1000))),
    ]
)
machines = st.builds(MachineLimit, st.integers(1, 6), st.sampled_from([2.0, 8.0]), st.just(8000))
