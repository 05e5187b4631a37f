from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine.fold import fold_all
from agentops.engine.snapshots import UnreadableSnapshot, dump_state, load_state
from agentops.engine.state import CallState, RunState
from tests.engine.histories import decided, history, requested
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


@given(ended_runs, st.data())
def test_a_field_more_or_less_makes_it_unreadable(run: Simulation, data: st.DataObject) -> None:
    """A release that has another field has another meaning; the default of a missing one would be a guess."""
    kept = json.loads(json.dumps(dump_state(run.state)))
    parts = [kept, kept["limits"], kept["spent"], kept["drawn"], *kept["calls"], *kept["marks"]]
    part = data.draw(st.sampled_from([*parts, *kept["proposed"]]))
    if data.draw(st.booleans()):
        part["of_another_release"] = 1
    else:
        del part[data.draw(st.sampled_from(sorted(part)))]
    with pytest.raises(UnreadableSnapshot):
        load_state(kept)


@pytest.mark.parametrize(
    ("field", "junk"),
    [
        ("limits", 7),
        ("limits", None),
        ("spent", {"usd": "much"}),
        ("expires_at", "soon"),
        ("calls", [{}]),
        ("claims", 3),
        ("reserved_usd", "1,5"),
    ],
)
def test_junk_is_unreadable(field: str, junk: object) -> None:
    kept = dump_state(fold_all(history(requested(1), decided(1))))
    with pytest.raises(UnreadableSnapshot):
        load_state({**kept, field: junk})


@pytest.mark.parametrize("junk", [None, {}, [], "junk", 7])
def test_what_is_no_state_is_unreadable(junk: object) -> None:
    with pytest.raises(UnreadableSnapshot):
        load_state(junk)


@given(ended_runs)
def test_nothing_of_a_state_is_left_out(run: Simulation) -> None:
    kept = dump_state(run.state)
    assert set(kept) == set(RunState._fields)
    assert all(set(call) == set(CallState._fields) for call in kept["calls"])
