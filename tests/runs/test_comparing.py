"""Two runs side by side."""

from __future__ import annotations

from runs.comparing import Comparison, compare_runs, find_earlier
from runs.models import Run, ToolCall
from tests.runs.company import ORDER, Company, proposes, says

OTHER = {"order_id": "A-2"}


def play(company: Company, *calls: tuple[str, dict[str, str]]) -> Run:
    return company.run(*(proposes(call) for call in calls), says("Done."))


def told(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(_name(pair.one), _name(pair.other), pair.likeness) for pair in comparison.pairs]


def _name(call: ToolCall | None) -> str:
    return call.tool_name if call else ""


def test_runs_that_did_the_same_part_nowhere(company: Company) -> None:
    company.add_reads()
    one, other = (play(company, ("look_up", ORDER)) for _ in range(2))
    comparison = compare_runs(one, other)
    assert (told(comparison), comparison.parting) == ([("look_up", "look_up", "same")], None)
    assert comparison.figures[0] == ("steps", 2, 2)


def test_they_part_where_arguments_differ_and_meet_again(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund", grant="ALLOW")
    one = play(company, ("look_up", ORDER), ("refund", ORDER))
    other = play(company, ("look_up", OTHER), ("look_up", OTHER), ("refund", ORDER))
    comparison = compare_runs(one, other)
    assert told(comparison) == [
        ("look_up", "look_up", "other_arguments"),
        ("", "look_up", "only_one"),
        ("refund", "refund", "same"),
    ]
    assert comparison.parting == 0


def test_the_same_call_may_have_come_out_otherwise(company: Company) -> None:
    refund = company.add_tool("refund", grant="ALLOW")
    one = play(company, ("refund", ORDER))
    company.grant(refund.tool, "DENY")
    other = play(company, ("refund", ORDER))
    assert [pair.likeness for pair in compare_runs(one, other).pairs] == ["other_outcome"]


def test_the_one_before_is_the_same_agent_s(company: Company) -> None:
    company.add_reads()
    first, second = company.start(), company.start()
    assert (find_earlier(first), find_earlier(second)) == (None, first)
