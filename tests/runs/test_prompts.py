"""What the model was shown, made again: it is what the provider was sent."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import NotFound
from runs import prompts
from runs.erasure import erase_run
from runs.models import Run
from runs.prompts import read_prompt
from runs.services import add_message
from tests.runs.company import ORDER, Company, proposes, says


@pytest.fixture
def run(company: Company) -> Run:
    """Return a run of three steps whose user has written once more before the last."""
    company.add_reads()
    company.add_tool("refund", grant=None)
    return company.run(
        proposes(("look_up", ORDER), text="I look."),
        proposes(("refund", {"order_id": "A-1"})),
        says("Not allowed."),
    )


def sent(company: Company) -> list[list[dict[str, Any]]]:  # Any: messages
    return [body["messages"] for body in company.asked()]


def test_every_step_is_shown_as_it_was_sent(company: Company, run: Run) -> None:
    shown = [list(read_prompt(run, step).messages) for step in (1, 2, 3)]
    assert shown == sent(company)
    offered = [tool["function"]["name"] for tool in company.asked()[0]["tools"]]
    assert list(read_prompt(run, 1).tools) == offered


def test_the_user_s_later_words_are_there_where_they_were(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    run = company.run(proposes(("refund", ORDER)), says("Then not."))
    client = company.cast.application.service_account
    add_message(actor=client, run=run, text="Leave it.")
    company.drive(run)
    assert [list(read_prompt(run, step).messages) for step in (1, 2)] == sent(company)
    assert read_prompt(run, 2).messages[-1] == {"role": "user", "content": "Leave it."}


def test_a_window_that_slid_says_what_was_left_out(company: Company) -> None:
    company.add_reads()
    company.publish(context_tokens=1_000)
    turns = [proposes(("look_up", {"order_id": "A" * 900 + str(number)})) for number in range(5)]
    run = company.run(*turns, says("Done."))
    for step in range(1, 7):
        assert list(read_prompt(run, step).messages) == sent(company)[step - 1]
    assert read_prompt(run, 6).left_out > 0


def test_a_model_that_is_asked_again_was_shown_the_same(company: Company, run: Run) -> None:
    assert (read_prompt(run, 2).attempt, read_prompt(run, 2).step) == (1, 2)


def test_what_was_erased_shows_as_erased(company: Company, run: Run) -> None:
    erase_run(actor=company.cast.ada, run=run, reason="They asked.")
    told = str(read_prompt(run, 3).messages)
    assert "A-1" not in told
    assert "Please help" not in told
    assert "[erased]" in told


def test_a_step_in_which_nobody_was_asked_has_no_prompt(run: Run) -> None:
    for step in (0, 4, 99):
        with pytest.raises(NotFound):
            read_prompt(run, step)


def test_the_one_that_declares_a_plan_saw_the_user_s_words_only(company: Company) -> None:
    company.add_reads()
    company.publish(plan="planner")
    run = company.run(
        proposes(("declare_plan", {"tools": [{"tool": "look_up"}]})),
        proposes(("look_up", ORDER)),
        says("Done."),
    )
    assert [list(read_prompt(run, step).messages) for step in (1, 2)] == sent(company)[:2]
    assert read_prompt(run, 1).tools == ("declare_plan",)


def test_without_looking_at_when_it_was_asked_it_would_show_what_came_later(
    company: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompts, "takewhile", lambda _, events: list(events))
    assert list(read_prompt(run, 1).messages) != sent(company)[0]
