"""Two versions side by side, at the terminal and as values."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from agentops.errors import ValidationFailed
from runs.evaluation.comparing import LIKELY, SAME, UNLIKELY, compare, sum_up
from runs.models import Evaluation
from tests.runs.company import Company, says
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, begin, case, draft, keep_set, tried

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]

GOOD, BAD = (LOOKS, PAYS, ANSWERS), (says("No."),)


@pytest.fixture
def both(refunds: Company) -> tuple[Evaluation, Evaluation]:
    """Return what came of the published version, and of one that does worse in each of five runs of two cases."""
    row = keep_set(refunds, case("one"), case("two"))
    first = tried(refunds, row, *GOOD * 10, repeat=5)
    second = tried(refunds, row, *BAD * 10, repeat=5, version=draft(refunds, instructions="Refuse."))
    return first, second


def told(*words: object, username: str = "alice") -> str:
    out = StringIO()
    call_command("evaluate", *words, "--as", username, stdout=out)
    return out.getvalue()


def test_figures_stand_beside_each_other_in_sum_and_by_case(both: tuple[Evaluation, Evaluation]) -> None:
    found = compare(*both)
    figures = {each.name: each for each in found.figures}
    assert (figures["passed"].one, figures["passed"].other, figures["passed"].said) == (1.0, 0.0, UNLIKELY)
    assert (figures["steps"].one, figures["steps"].other, figures["steps"].differs) == (3.0, 1.0, True)
    assert figures["approvals"].said == SAME
    assert figures["usd"].one > figures["usd"].other
    assert [(each.name, len(each.one), len(each.other)) for each in found.cases] == [
        ("one", 5, 5),
        ("two", 5, 5),
    ]
    assert found.cases[0].figures[0].said == UNLIKELY
    assert found.is_alike


def test_of_one_run_each_nothing_is_told_for_certain(refunds: Company) -> None:
    row = keep_set(refunds)
    first, second = tried(refunds, row, *GOOD), tried(refunds, row, *BAD)
    assert compare(first, second).figures[0].said == LIKELY


def test_sums_say_of_how_many(refunds: Company) -> None:
    made = tried(refunds, keep_set(refunds), *GOOD, *BAD, repeat=2)
    found = sum_up(made)
    assert (found.passed, found.judged, found.of) == (1, 2, 2)
    assert found.usd == sum(each.usd for each in made.results.all())
    assert dict(found.figures)["steps"] == 2.0


def test_what_was_not_run_is_not_compared(refunds: Company) -> None:
    row = keep_set(refunds)
    found = compare(tried(refunds, row, *GOOD), begin(refunds, row))
    assert found.figures == ()


def test_only_versions_of_one_agent(refunds: Company) -> None:
    made = tried(refunds, keep_set(refunds), *GOOD)
    other = Evaluation.objects.select_related("evaluation_set").get()
    other.evaluation_set.identity_id = refunds.cast.team.pk
    with pytest.raises(ValidationFailed):
        compare(made, other)


def test_the_terminal_lists_starts_shows_and_compares(
    refunds: Company, both: tuple[Evaluation, Evaluation]
) -> None:
    assert told() == "refunds-agent: everyday: 2 cases\n"
    first, second = both
    assert "10 of 10 passed" in told("--results", first.pk)
    shown = told("--results", second.pk)
    assert "one (1): FAILED, 1 steps" in shown
    assert "it was not" in shown
    assert "passed: 1 | 0, more than repetition alone explains" in told("--compare", first.pk, second.pk)
    assert "has begun" in told("refunds-agent", "everyday", 1, "--max-usd", "100")
    for words in (
        ("refunds-agent", "none", 1, "--max-usd", "100"),
        ("refunds-agent", "everyday", 9, "--max-usd", "100"),
        ("refunds-agent", "everyday", 1),
        ("refunds-agent", "everyday", 1, "--max-usd", "0.01"),
    ):
        with pytest.raises(CommandError):
            told(*words)
    with pytest.raises(CommandError):
        told("--results", first.pk, username="charlie")
