"""From the click to the last call that has an effect, and to the last that a tool's server accepts, in every scope.

Two workers are busy all the while.
"""

from __future__ import annotations

import pytest

from runs.bench.stops import OUTSIDE, SCOPES
from tests.runs.test_bench import run_bench

pytestmark = [pytest.mark.revocation, pytest.mark.slow]

WITHIN_MS = 1_000
# What a stop itself takes at most where the machine has time for it; on a slower one all that follows takes longer too.
USUAL_STOP_MS = 400
FIGURES = (
    "click_to_stopped_ms",
    "click_to_last_effect_ms",
    "click_to_last_call_ms",
    "click_to_last_accepted_ms",
    "click_to_last_exchange_ms",
    "click_to_last_end_ms",
)


def test_nothing_has_an_effect_a_second_after_the_click(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = run_bench(tmp_path_factory.mktemp("bench"), "stops", "--rounds", "4")
    with capsys.disabled():
        print()
        for each in figures:
            print(f"{each['scope']:12} " + " ".join(f"{name} {each.get(name, '')}" for name in FIGURES))
    assert tuple(each["scope"] for each in figures) == (*SCOPES, "all")
    slower = max(1.0, figures[-1]["click_to_stopped_ms"]["max"] / USUAL_STOP_MS)
    for kind in ("click_to_last_effect_ms", "click_to_last_accepted_ms", "click_to_last_exchange_ms"):
        spreads = [each[kind] for each in figures if kind in each]
        assert spreads
        assert all(each["max"] <= WITHIN_MS * slower for each in spreads), (kind, spreads)
    assert all("click_to_last_exchange_ms" in each for each in figures if each["scope"] in OUTSIDE)
