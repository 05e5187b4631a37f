"""What is held for a veto, in the console and at a terminal."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from runs.models import Run
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.ledger import kinds_of, last_entry
from tests.runs.admin.pages import MODEL, SCRIPT, show
from tests.runs.company import Company, proposes, says

pytestmark = [pytest.mark.console, pytest.mark.slow]

HELD = page_of(MODEL, "held")
WHY = "The customer called."


@pytest.fixture
def held(company: Company) -> Run:
    company.add_tool("refund", grant_veto_s=600)
    return company.run(proposes(("refund", {"order_id": f"A-1 {SCRIPT}"})), says("Not refunded."))


def veto(client: Client, run: Run, **form: object) -> Page:
    given = {"type": "veto", "step": "1", "call": "1", "text": WHY, "from": "held", **form}
    return client.post(page_of(MODEL, "answer", run.pk), given, follow=True)


def command(*arguments: str) -> str:
    output = io.StringIO()
    call_command("veto", *arguments, "--as", "alice", stdout=output)
    return output.getvalue()


def test_a_held_call_stands_in_plain_words_on_its_page_and_on_its_runs(company: Company, held: Run) -> None:
    client = sign_in(company.cast.alice)
    for page in (client.get(HELD), show(client, held)):
        assert "It will do something to order" in text_of(page)
        assert "<script>alert" not in page.content.decode()
    assert "1" in text_of(client.get("/admin/"))


def test_it_is_vetoed_from_the_list_and_the_run_goes_on(company: Company, held: Run) -> None:
    client = sign_in(company.cast.alice)
    page = veto(client, held)
    assert page.redirect_chain[-1][0] == HELD
    assert "Vetoed: the call does not go out" in text_of(page)
    assert "Nothing is held for a veto." in text_of(page)
    entry = last_entry(held.pk)
    assert (entry.kind, entry.actor, entry.content) == (
        "call.vetoed", company.cast.alice.pk, {"reason": WHY},
    )  # fmt: skip
    run = company.drive(held)
    assert (run.state, company.states(run), company.world.attempts) == (
        "completed", [("refused", "vetoed")], [],
    )  # fmt: skip
    assert "vetoed by a person" in text_of(show(client, run))


def test_it_is_vetoed_from_the_page_of_the_run(company: Company, held: Run) -> None:
    page = veto(sign_in(company.cast.alice), held, **{"from": "run"})
    assert page.redirect_chain[-1][0] == page_of(MODEL, "change", held.pk)
    assert "call.vetoed" in kinds_of(held.pk)


@pytest.mark.parametrize(
    "form", [{"text": "  "}, {"step": "9"}, {"call": "9"}, {"step": "x"}, {"call": ""}, {"call": "-1"}]
)
def test_what_cannot_be_vetoed_is_said_and_changes_nothing(
    company: Company, held: Run, form: dict[str, str]
) -> None:
    page = veto(sign_in(company.cast.alice), held, **form)
    assert "Nothing was changed." in text_of(page)
    assert "call.vetoed" not in kinds_of(held.pk)


def test_a_second_veto_is_told_that_it_was_one(company: Company, held: Run) -> None:
    client = sign_in(company.cast.alice)
    veto(client, held)
    assert "Nothing was changed." in text_of(veto(client, held))


def test_another_teams_people_neither_see_nor_veto(company: Company, held: Run) -> None:
    client = sign_in(company.cast.charlie)
    assert "Nothing is held for a veto." in text_of(client.get(HELD))
    veto(client, held)
    assert "call.vetoed" not in kinds_of(held.pk)


def test_a_list_costs_the_same_however_long_it_is(
    company: Company, held: Run, django_assert_max_num_queries: object
) -> None:
    client = sign_in(company.cast.alice)
    client.get(HELD)
    for _ in range(3):
        company.run(proposes(("refund", {"order_id": "A-1"})), says("Done."))
    with django_assert_max_num_queries(16):  # type: ignore[operator]  # a fixture
        page = client.get(HELD)
    assert text_of(page).count("It will do something") == 4


def test_the_terminal_lists_and_vetoes(company: Company, held: Run) -> None:
    [line] = command().splitlines()
    assert line.startswith(f"{held.pk} 1 1  until ")
    assert "do something to order" in line
    assert "does not go out" in command(str(held.pk), "1", "1", "--reason", WHY)
    assert command() == ""
    assert last_entry(held.pk).content == {"reason": WHY}


@pytest.mark.parametrize(
    "arguments", [("{run}",), ("{run}", "1", "1"), ("{run}", "1", "2", "--reason", "x"), ("{nil}", "1", "1")]
)
def test_the_terminal_says_what_is_wrong(company: Company, held: Run, arguments: tuple[str, ...]) -> None:
    given = [each.format(run=held.pk, nil="00000000-0000-0000-0000-000000000000") for each in arguments]
    with pytest.raises(CommandError):
        command(*given)
    assert "call.vetoed" not in kinds_of(held.pk)
