"""What a version of a table would have changed last month: recorded calls are decided again, as they were asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from agentops.errors import ValidationFailed
from runs import table_foresight, table_recall
from runs.api import table_foresight as api_of_foresight
from runs.models import Run
from runs.table_foresight import Move, foresee_table
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import page_of, sign_in, text_of
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, proposes, says
from tests.runs.test_decided import table
from tests.runs.test_table_grants import RULES, guard, refund
from tests.tools.tables import Json, eligibility, policy, publish
from tools.models import DecisionTable, DecisionTableVersion
from tools.services import TableDraft, retire_table, save_table

__all__ = ["callers", "keys", "table"]  # fixtures

pytestmark = pytest.mark.dmn


def draft(company: Company, table: DecisionTable, definition: Json) -> DecisionTableVersion:
    return save_table(actor=company.cast.ada, table=table, draft=TableDraft(definition, []))


def ask(company: Company, days: int, order: str = "A-1") -> Run:
    return company.run(proposes(("eligibility", {"order_id": order, "days": days})), says("Done."))


def test_answers_that_would_have_been_others_are_counted_and_listed(
    company: Company, table: DecisionTable
) -> None:
    asked = [ask(company, days) for days in (3, 5, 20, -3)]
    found = foresee_table(draft(company, table, eligibility(early="60")))
    assert (found.calls, found.unknown, found.changed, found.is_cut) == (4, 0, 2, False)
    assert found.moves == (Move("amount: 50", "amount: 60", 2),)
    assert [each.run_id for each in found.listed] == [asked[1].pk, asked[0].pk]


def test_the_version_that_decided_would_have_changed_nothing(company: Company, table: DecisionTable) -> None:
    for days in (3, 20, -3):
        ask(company, days)
    assert foresee_table(table.versions.get()).changed == 0


def test_what_no_rule_would_have_covered_is_said_so(company: Company, table: DecisionTable) -> None:
    ask(company, 3)
    bare = {**eligibility(), "rules": eligibility()["rules"][1:]}
    assert foresee_table(draft(company, table, bare)).moves == (Move("amount: 50", "no_decision", 1),)


def test_calls_of_grants_are_judged_by_the_rules_of_then(company: Company) -> None:
    guarded = guard(company, RULES)
    for amount in ("5", "50", "150"):
        refund(company, amount)
    earlier = guarded.versions.get()
    publish(company.cast, guarded, policy(("< 1000", "REQUIRE_APPROVAL")))
    refund(company, "6", order="A-2")
    retire_table(actor=company.cast.ada, version=earlier, reason="It has had its day.")
    found = foresee_table(draft(company, guarded, policy(("< 1000", "ALLOW"))))
    assert (found.calls, found.changed) == (4, 3)
    assert set(found.moves) == {Move("REQUIRE_APPROVAL", "ALLOW", 2), Move("DENY", "ALLOW", 1)}


def test_when_each_version_decided_is_what_the_database_says(company: Company) -> None:
    guarded, now = guard(company, RULES), timezone.now()
    publish(company.cast, guarded, RULES, effective_from=now + timedelta(hours=1))
    begin, end = now + timedelta(hours=2), now + timedelta(hours=3)
    publish(company.cast, guarded, RULES, effective_from=begin, effective_until=end)
    history = table_foresight._History(guarded)
    for minutes in range(-60, 300, 20):
        moment = now + timedelta(minutes=minutes)
        found, expected = history.at(moment), guarded.versions.begun(moment).first()
        assert (found and found.number) == (expected and expected.number), minutes


def test_what_was_erased_is_told_as_unknown(company: Company, table: DecisionTable) -> None:
    erased = ask(company, 4)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s", [erased.pk])
    found = foresee_table(draft(company, table, eligibility(early="60")))
    assert (found.calls, found.unknown, found.changed) == (1, 1, 0)


def test_what_is_older_does_not_count(
    company: Company, table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(company, 3)
    made = draft(company, table, eligibility(early="60"))
    monkeypatch.setattr(table_foresight, "DAYS", 0)
    assert foresee_table(made).calls == 0


def test_of_many_calls_the_newest_are_looked_at(
    company: Company, table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(company, 3)
    newest = ask(company, 4)
    monkeypatch.setattr(table_foresight, "MOST", 1)
    found = foresee_table(draft(company, table, eligibility(early="60")))
    assert (found.is_cut, [each.run_id for each in found.listed]) == (True, [newest.pk])


def test_nothing_of_it_stays(company: Company, table: DecisionTable) -> None:
    run = ask(company, 3)
    before = company.entries(run)
    foresee_table(draft(company, table, eligibility(early="60")))
    assert company.entries(run) == before


def test_the_page_and_the_api_tell_people_of_the_team_only(
    company: Company, table: DecisionTable, callers: Callers
) -> None:
    ask(company, 3)
    made = draft(company, table, eligibility(early="60"))
    page = page_of("runs", "table_foresight", made.pk)
    bob = sign_in(company.cast.bob)
    assert page in bob.get(page_of("tools_decisiontable", "change", table.pk)).content.decode()
    told = text_of(bob.get(page))
    assert "1 of 1 decision of the last 30 days would have been another." in told
    assert "amount: 50 amount: 60" in told
    address = f"/tables/{table.pk}/versions/{made.number}/last-month"
    shown = callers.bob.get(address).body
    assert shown["moves"] == [{"before": "amount: 50", "after": "amount: 60", "calls": 1}]
    assert sign_in(company.cast.charlie).get(page).status_code == 404
    for outsider in (callers.charlie, callers.app):
        assert outsider.get(address).status == 404


@pytest.mark.parametrize("spoilt", [{"rules": []}, {"outputs": []}])
def test_a_draft_that_is_none_yet_is_told_so(
    company: Company, table: DecisionTable, spoilt: dict[str, Any]
) -> None:
    made = draft(company, table, {**eligibility(), **spoilt})
    with pytest.raises(ValidationFailed):
        foresee_table(made)
    page = page_of("runs", "table_foresight", made.pk)
    assert "This is no table yet" in text_of(sign_in(company.cast.bob).get(page))


# --- each rule taken away ----------------------------------------------------------------------------------

SIXTY = eligibility(early="60")


def test_without_its_days_all_that_ever_was_would_count(
    company: Company, table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(company, 3)
    made = draft(company, table, SIXTY)
    monkeypatch.setattr(table_foresight, "DAYS", 0)
    rewrite_text(monkeypatch, table_recall, "_ASKED", "c.proposed_at > %(since)s AND", "")
    assert foresee_table(made).calls == 1


def test_without_comparing_every_decision_would_be_another(
    company: Company, table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(company, 20)
    made = draft(company, table, SIXTY)
    assert foresee_table(made).changed == 0
    rewrite(monkeypatch, table_foresight, "_sum_up", "if each.before != each.after", "")
    assert foresee_table(made).changed == 1


def test_without_a_word_about_it_what_was_erased_would_be_no_call(
    company: Company, table: DecisionTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased = ask(company, 4)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s", [erased.pk])
    made = draft(company, table, SIXTY)
    assert foresee_table(made).unknown == 1
    rewrite(monkeypatch, table_foresight, "_sum_up", "calls - len(found)", "0")
    assert foresee_table(made).unknown == 0


def test_without_the_versions_of_then_todays_would_have_decided(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = guard(company, RULES)
    refund(company, "150")
    publish(company.cast, guarded, policy(("< 1000", "REQUIRE_APPROVAL")))
    made = draft(company, guarded, policy(("< 1000", "ALLOW")))
    assert foresee_table(made).moves == (Move("DENY", "ALLOW", 1),)
    rewrite(
        monkeypatch, table_foresight, "_decide_judged", "history.at(call.at)", "history.at(timezone.now())"
    )
    assert foresee_table(made).moves == (Move("REQUIRE_APPROVAL", "ALLOW", 1),)


def test_without_its_end_a_version_that_was_retired_would_go_on_deciding(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded = guard(company, RULES)
    retire_table(actor=company.cast.ada, version=guarded.versions.get(), reason="It has had its day.")
    assert table_foresight._History(guarded).at(timezone.now()) is None
    at = rewrite_method(monkeypatch, "is_over = each.retired_at is not None and", "is_over = False and")
    assert at(table_foresight._History(guarded), timezone.now()) is not None


def rewrite_method(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> Any:  # Any: the method, changed
    """Change a passage of how the version of a moment is found."""
    monkeypatch.setattr(table_foresight, "at", table_foresight._History.at, raising=False)
    changed = rewrite(monkeypatch, table_foresight, "at", old, new)
    monkeypatch.setattr(table_foresight._History, "at", changed)
    return changed


def test_without_looking_whose_it_is_strangers_would_be_told(
    company: Company, table: DecisionTable, callers: Callers, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = draft(company, table, SIXTY)
    page = page_of("runs", "table_foresight", made.pk)
    stranger = sign_in(company.cast.charlie)
    assert stranger.get(page).status_code == 404
    monkeypatch.setattr(
        DecisionTableVersion.objects, "visible_to", lambda _: DecisionTableVersion.objects.all()
    )
    assert stranger.get(page).status_code == 200
    address = f"/tables/{table.pk}/versions/{made.number}/last-month"
    assert callers.charlie.get(address).status == 404
    monkeypatch.setattr(api_of_foresight, "find_version", lambda *_: made)
    assert callers.charlie.get(address).status == 200
