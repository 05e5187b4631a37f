from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from agentops.engine.fold import fold_all
from agentops.engine.snapshots import dump_state, load_state
from agentops.engine.state import CallState, RunState
from tests.engine.simulation import Simulation, ended_runs


@given(ended_runs)
def test_a_state_survives_being_kept(run: Simulation) -> None:
    for state in run.states:
        assert load_state(json.loads(json.dumps(dump_state(state)))) == state


@given(ended_runs, st.data())
def test_folding_on_from_a_snapshot_is_folding_from_the_start(run: Simulation, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(run.events)))
    kept = load_state(json.loads(json.dumps(dump_state(run.states[place - 1]))))
    assert fold_all(run.events[place:], kept) == run.state


@given(ended_runs)
def test_nothing_of_a_state_is_left_out(run: Simulation) -> None:
    kept = dump_state(run.state)
    assert set(kept) == set(RunState._fields)
    assert all(set(call) == set(CallState._fields) for call in kept["calls"])
