"""A run that fails its drivers again and again is parked, and a person redrives or discards it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from runs import dead_letters, driver, lease_rows, turns
from runs.dead_letters import discard_letter, redrive_letter
from runs.models import DeadLetter, Run
from runs.services import cancel_run
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import page_of, sign_in, text_of
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, says
from tests.runs.conftest import company
from tests.runs.test_driver import crash, drive_and_crash, due

__all__ = ["callers", "company", "keys"]
TRIES = 3


@pytest.fixture(autouse=True)
def _few_tries(settings: Settings) -> None:
    settings.DRIVE_TRIES = TRIES


def fail(*_: object) -> None:
    raise RuntimeError("a fault of ours, about customer-1")


def fail_often(company: Company, run: Run, times: int = TRIES) -> Run:
    """Have drive after drive raise in our own code."""
    company.expects_fault = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "find_route", fail)
        for _ in range(times):
            company.drive(run)
    return Run.objects.get(pk=run.pk)


def die_often(company: Company, run: Run, times: int = TRIES) -> None:
    """Have worker after worker die while it drives a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "find_route", crash)
        for _ in range(times):
            drive_and_crash(company, run)


def parked(company: Company) -> DeadLetter:
    """Return the letter of a run that has failed too often."""
    run = company.start()
    fail_often(company, run)
    return DeadLetter.objects.get(run=run)


def test_after_so_many_faults_a_run_is_parked_and_says_why(company: Company) -> None:
    company.play(says("Hello."))
    run = company.start()
    assert fail_often(company, run, TRIES - 1).wake_at is not None, "until then it rests"
    assert not DeadLetter.objects.exists()
    run = fail_often(company, run, 1)
    letter = DeadLetter.objects.get()
    assert (run.wake_at, run.lease_until, run.state, due()) == (None, None, "queued", [])
    assert (letter.run, letter.team, letter.attempts, letter.reason) == (
        run,
        run.team,
        TRIES,
        "driver_failed",
    )
    assert letter.error.startswith("RuntimeError at test_dead_letters.py:")
    assert "customer-1" not in letter.error
    assert letter.entry == len(company.kinds(run))


def test_without_the_cap_it_would_be_driven_for_ever(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    monkeypatch.setattr(
        driver, "is_worn_out", rewrite(monkeypatch, dead_letters, "is_worn_out", "attempts >= ", "0 > ")
    )
    assert fail_often(company, company.start(), 2 * TRIES).wake_at is not None
    assert not DeadLetter.objects.exists()


def test_one_that_kills_its_workers_is_parked_too(company: Company) -> None:
    company.expects_fault = True
    run = company.start()
    die_often(company, run)
    assert due() == [run.pk], "nobody was left to park it"
    run = company.drive(run)
    letter = DeadLetter.objects.get()
    assert (letter.attempts, letter.reason, letter.error) == (TRIES, "driver_died", "")
    assert (run.wake_at, run.lease_until, due()) == (None, None, [])


def test_counted_after_the_work_it_would_kill_worker_after_worker(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_text(monkeypatch, lease_rows, "_LEASE_OF_RUN", "least(r.drives + 1, 30000)", "r.drives")
    run = company.start()
    die_often(company, run, 2 * TRIES)
    assert due() == [run.pk]
    company.play(says("Hello."))
    company.drive(run)


def test_a_run_that_is_handed_on_again_and_again_is_not_parked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Done."))
    run = company.start()
    monkeypatch.setattr(driver, "is_asked", lambda _: True)  # a command, and it is handed on
    slices = 1
    while driver.drive(run.pk):
        run.refresh_from_db()
        assert run.drives == 0
        slices += 1
    assert slices > 1
    assert not DeadLetter.objects.exists()


def test_a_step_that_was_decided_begins_the_count_anew(company: Company) -> None:
    company.play(says("Hello."))
    run = company.start()
    die_often(company, run, TRIES - 1)
    Run.objects.filter(pk=run.pk).update(steps=1)  # as its driver wrote before it died
    die_often(company, run, 1)
    run.refresh_from_db()
    assert run.drives == 1
    Run.objects.filter(pk=run.pk).update(steps=0)


def test_the_databases_outages_are_not_the_runs_fault(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    run = company.start()

    def lose(*_: object) -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", lose)
        for _ in range(2 * TRIES):
            company.drive(run)
    assert company.drive(run).state == "completed"
    assert not DeadLetter.objects.exists()


def test_a_sweep_that_finds_it_all_the_same_parks_it_once(company: Company) -> None:
    letter = parked(company)
    for _ in range(3):
        driver.drive(letter.run_id)
    assert list(DeadLetter.objects.all()) == [letter]
    assert Run.objects.get().wake_at is None


# --- what becomes of it -----------------------------------------------------------------------------------


def test_redriven_it_goes_on_where_it_was(company: Company) -> None:
    letter = parked(company)
    closed = redrive_letter(actor=company.cast.ada, letter=letter, reason="It is mended.")
    assert (closed.state, closed.closed_by, due()) == ("redriven", company.cast.ada, [letter.run_id])
    company.play(says("Hello."))
    assert company.drive(letter.run).state == "completed"


def test_redriven_in_vain_it_has_all_its_tries_and_is_parked_again(company: Company) -> None:
    letter = parked(company)
    redrive_letter(actor=company.cast.ada, letter=letter)
    fail_often(company, letter.run, TRIES)
    assert [each.state for each in DeadLetter.objects.order_by("id")] == ["redriven", "parked"]


def test_discarded_it_halts_for_the_reason_that_was_given(company: Company) -> None:
    letter = parked(company)
    discard_letter(actor=company.cast.ada, letter=letter, reason="It cannot be mended.")
    run = company.drive(letter.run)
    assert (run.state, run.status_reason) == ("halted", "killed")
    assert company.content(run, "run.killed") == {"reason": "It cannot be mended."}
    letter.refresh_from_db()
    assert (letter.state, letter.closed_by) == ("discarded", company.cast.ada)


def test_all_of_it_is_in_the_ledger(company: Company) -> None:
    letter = parked(company)
    redrive_letter(actor=company.cast.ada, letter=letter, reason="It is mended.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind FROM ledger_entry WHERE stream = %s ORDER BY seq", [letter.pk])
        assert cursor.fetchall() == [("dead_letter.parked",), ("dead_letter.redriven",)]


def test_a_parked_run_can_be_cancelled_by_one_more_drive(company: Company) -> None:
    letter = parked(company)
    cancel_run(actor=company.cast.application.service_account, run=Run.objects.get())
    assert company.drive(letter.run).state == "cancelled"
    with pytest.raises(StateConflict, match="run_ended"):
        redrive_letter(actor=company.cast.ada, letter=letter)


Verb = Callable[[User, DeadLetter], object]
VERBS: list[Verb] = [
    lambda actor, letter: redrive_letter(actor=actor, letter=letter),
    lambda actor, letter: discard_letter(actor=actor, letter=letter, reason="No."),
]


@pytest.mark.parametrize("verb", VERBS)
def test_an_outsider_and_who_only_looks_are_refused(company: Company, verb: Verb) -> None:
    letter = parked(company)
    for actor in (company.cast.charlie, company.cast.bob):
        with pytest.raises(PolicyDenied):
            verb(actor, letter)
    assert DeadLetter.objects.get().state == "parked"


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_decided_is_decided_once(company: Company, verb: Verb) -> None:
    letter = parked(company)
    redrive_letter(actor=company.cast.ada, letter=letter)
    with pytest.raises(StateConflict, match="letter_closed"):
        verb(company.cast.ada, letter)


def test_without_a_reason_nothing_is_discarded(company: Company) -> None:
    letter = parked(company)
    for reason in ("", "  ", "x" * 2_001):
        with pytest.raises(ValidationFailed):
            discard_letter(actor=company.cast.ada, letter=letter, reason=reason)
    assert DeadLetter.objects.get().state == "parked"


# --- the same verbs elsewhere -----------------------------------------------------------------------------


def test_over_the_api_it_is_found_inspected_and_discarded(company: Company, callers: Callers) -> None:
    letter = parked(company)
    (listed,) = callers.app.get("/dead-letters?state=parked").body["data"]
    assert listed["id"] == str(letter.pk)
    shown = callers.app.get(f"/dead-letters/{letter.pk}").body
    assert (shown["run"], shown["attempts"], shown["entry"]) == (str(letter.run_id), TRIES, letter.entry)
    assert callers.app.post(f"/dead-letters/{letter.pk}/discard", {}).status == 422
    assert (
        callers.app.post(f"/dead-letters/{letter.pk}/discard", {"reason": "No."}).body["state"] == "discarded"
    )
    assert callers.app.post(f"/dead-letters/{letter.pk}/redrive", {}).status == 409
    assert callers.charlie.get(f"/dead-letters/{letter.pk}").status == 404


def test_in_the_console_it_is_listed_shown_and_redriven(company: Company) -> None:
    letter = parked(company)
    ada = sign_in(company.cast.ada)
    assert "the driver failed" in text_of(ada.get(page_of("runs_deadletter", "changelist")))
    page = text_of(ada.get(page_of("runs_deadletter", "change", letter.pk)))
    assert f"entry {letter.entry}" in page
    assert "Redrive" in page
    form = {"action": "redrive", "_selected_action": [str(letter.pk)], "index": "0", "confirmed": "1"}
    ada.post(page_of("runs_deadletter", "changelist"), form)
    letter.refresh_from_db()
    assert letter.state == "redriven"


def test_the_run_s_own_page_leads_to_it(company: Company) -> None:
    letter = parked(company)
    client = sign_in(company.cast.ada)
    page = f"/admin/runs/run/{letter.run_id}/change/"
    assert f"/admin/runs/deadletter/{letter.pk}/change/" in client.get(page).content.decode()
    redrive_letter(actor=company.cast.ada, letter=letter)
    assert 'id="parked"' not in client.get(page).content.decode()


def test_at_a_terminal_too(company: Company) -> None:
    letter, out = parked(company), StringIO()
    call_command("dead_letters", "--as", "ada", stdout=out)
    assert str(letter.pk) in out.getvalue()
    with pytest.raises(CommandError, match="say why"):
        call_command("dead_letters", str(letter.pk), "discard", "--as", "ada", stdout=out)
    call_command("dead_letters", str(letter.pk), "redrive", "--as", "ada", stdout=out)
    letter.refresh_from_db()
    assert letter.state == "redriven"
