"""Long runs with a scripted planner: windows that slide, summaries, results that are too long to be shown whole."""

from __future__ import annotations

from typing import Any

from runs.models import Run
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import WORLD
from tests.runs.planner.provider import Conversation

VERSION: dict[str, Any] = {
    "context_tokens": 4_000, "summarise": True, "max_tokens": 10**9, "max_usd": 10**4, "max_seconds": 10**5,
}  # fmt: skip
RECORD = "r" * 300


def drive_long(company: Company, steps: int) -> Run:
    """Drive a run of so many reads, every fiftieth of which answers with more than a model is shown."""
    company.add_reads()
    company.publish(**VERSION, max_steps=steps + 1)
    asked = iter(range(1, steps + 1))

    def play(conversation: Conversation) -> None:
        if "tools" not in company.asked()[-1]:
            says("What was found so far: " + "s" * 200)(conversation)
        elif (step := next(asked, None)) is None:
            says("Done.")(conversation)
        else:
            record = RECORD * 100 if step % 50 == 0 else RECORD
            WORLD.mishaps.append(lambda _: {"record": record})
            proposes(("look_up", {"order_id": f"A-{step}"}))(conversation)

    company.play(play)
    run = company.drive(company.start())
    assert (run.state, run.steps) == ("completed", steps + 1)
    return run
