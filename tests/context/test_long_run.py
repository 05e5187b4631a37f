"""A run of 500 steps, with a scripted planner, against the real engine, driver and database: nothing of a step grows.

Judged are sizes and counts. Times and the server's log are told: others use the same machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from agentops.engine import events as e
from runs import session as sessions
from runs.memory.meaning import making
from runs.models import AgentVersion, Run
from runs.summarising import SHARE
from runs.window import CHARACTERS_PER_TOKEN, OBSERVATION_LIMIT, RULES, SUMMARISED
from tests.context.meter import Meter
from tests.factories import PriceFactory
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import WORLD
from tests.runs.planner.provider import Conversation

pytestmark = [pytest.mark.slow, pytest.mark.context]

STEPS, EARLY, LATE = 500, 60, 470  # the window is full for the first time after some forty
CONTEXT_TOKENS = 8_000
ROOM = CONTEXT_TOKENS * CHARACTERS_PER_TOKEN
# In a few steps a tool answers with far more than a model can be shown.
AT_LENGTH = (20, 250, 460)
RECORD = "r" * 400
# Roles, ids and quotes around what a message says, and names beside: about so much for each.
WRAPPING = 200
VERSION: dict[str, Any] = {
    "context_tokens": CONTEXT_TOKENS, "summarise": True,
    "max_steps": STEPS + 1, "max_tokens": 10**9, "max_usd": 10**4, "max_seconds": 10**5,
}  # fmt: skip


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Meter]:
    made = Meter()
    yield made
    sys.setprofile(None)


def drive_far(
    company: Company, meter: Meter, monkeypatch: pytest.MonkeyPatch, steps: int = STEPS, **version: Any
) -> Run:
    """Drive a run of so many steps, each with a read that answers with 400 characters, a few with very many."""
    company.add_reads()
    company.publish(**{**VERSION, **version})
    asked = iter(range(1, steps + 1))

    def play(conversation: Conversation) -> None:
        body = company.asked()[-1]
        company.provider.received.clear()  # or the test would hold what the driver does not
        meter.note_prompt(body)
        if "tools" not in body:
            says("What was found so far: " + "s" * 300)(conversation)
        elif (step := next(asked, None)) is None:
            says("Done.")(conversation)
        else:
            record = RECORD * 500 if step in AT_LENGTH else RECORD
            WORLD.mishaps.append(lambda _: {"record": record})
            looks = [("recall", {"query": f"refund {step}"})] if version.get("memory") else []
            proposes(("look_up", {"order_id": f"A-{step}"}), *looks)(conversation)

    company.play(play)
    run = company.start()
    meter.install(monkeypatch)
    run = company.drive(run)
    sys.setprofile(None)
    assert (run.state, run.steps) == ("completed", steps + 1)
    del meter.steps[-1]  # the answer
    return run


def bound_of(messages: float) -> float:
    """Return how many characters a prompt has at most: the window, a step beyond it, a summary, and what is fixed."""
    return ROOM + OBSERVATION_LIMIT + ROOM / SHARE + len(SUMMARISED) + len(RULES) + WRAPPING * messages


def check_prompts(meter: Meter) -> None:
    assert all(each.prompt <= bound_of(each.messages) for each in meter.steps)
    assert meter.most("prompt") <= meter.most("prompt", until=100) * 1.1
    assert meter.most("messages") <= meter.most("messages", until=100) * 1.1


def test_five_hundred_steps_take_what_the_first_took(
    company: Company, meter: Meter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drive_far(company, meter, monkeypatch)
    summaries = company.facts(run, e.SUMMARY_WRITTEN)
    reserved = [facts["reserved_tokens"] for facts in company.facts(run, e.MODEL_REQUESTED)]
    with capsys.disabled():
        print(f"\n{meter.tell(EARLY, LATE)}")
        print(
            f"{len(summaries)} summaries, {sum(each['tokens'] for each in summaries):,} of {run.tokens:,} tokens; "
            f"reserved for a call at most {max(reserved):,} tokens, of the first hundred {max(reserved[:100]):,}"
        )
    check_prompts(meter)
    assert max(reserved) <= max(reserved[:100]) * 1.1
    assert STEPS // 60 <= len(summaries) <= STEPS // 10
    for name in ("called", "written", "held"):
        assert meter.around(LATE, name) <= meter.around(EARLY, name) * 1.15, name
    assert meter.most("held") <= meter.most("held", until=100) * 1.1


def test_nor_does_a_step_grow_in_which_notes_are_looked_for_by_their_meaning(
    company: Company,
    meter: Meter,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings.EMBEDDINGS_MODEL = "embed-1"
    settings.TIME_SLICE_S = 10.0**5  # a slow machine takes longer than a few slices
    PriceFactory.create(model="embed-1", output_usd_per_mtok=0)
    company.publish(memory="all")
    first = company.run(proposes(("remember", {"text": "Wants a refund."})), says("Done."))
    assert (first.state, making.make_vectors(timezone.now())) == ("completed", 1)
    AgentVersion.objects.filter(state="published").update(state="retired")
    run = drive_far(company, meter, monkeypatch, price=False, memory="all")
    found = company.facts(run, e.MEMORY_RECALLED)
    with capsys.disabled():
        print(f"\nwith a recall in each step:\n{meter.tell(EARLY, LATE)}")
    assert len(found) == STEPS + 1
    assert {tuple(facts["ways"]) for facts in found} == {("words", "meaning")}
    check_prompts(meter)
    for name in ("called", "written", "held"):
        assert meter.around(LATE, name) <= meter.around(EARLY, name) * 1.15, name


def test_without_a_window_it_would_grow(
    company: Company, meter: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    monkeypatch.setattr(sessions, "choose_marks", lambda marks, _: list(marks))
    drive_far(company, meter, monkeypatch, steps=150, summarise=False)
    with pytest.raises(AssertionError):
        check_prompts(meter)
