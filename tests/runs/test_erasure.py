from __future__ import annotations

import json
import os
import threading
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone
from psycopg import sql

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft, digest_content
from agentops.ledger.models import Stream
from identities.models import STAFF_ISSUER, Principal
from runs import driver, erasure, late_outcomes, lease_rows
from runs.erasure import erase_principal, erase_run
from runs.models import Run
from runs.services import add_message, answer_input, cancel_run, start_run
from runs.session import Session, open_session
from tests.budget.watch import connect
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import PrincipalFactory, RunFactory
from tests.ledger import last_entry
from tests.ledger.forging import as_owner
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import meanwhile
from tests.runs.planner.provider import Turn, completion, reply
from tests.runs.test_driver import abandon
from tests.tools.execution import TRACEPARENT

CANARY = "canary-7d1f"
WHO = "ann.marple-88@example.org"
TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY 1
"""


def dump() -> str:
    """Return every row of every table, as the owner sees them."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        tables = [name for (name,) in owner.execute(TABLES).fetchall()]
        assert len(tables) > 30
        return "".join(_copy(owner, name) for name in tables)


def _copy(owner: psycopg.Connection[Any], table: str) -> str:
    statement = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))
    with owner.cursor().copy(statement) as rows:
        return b"".join(bytes(block) for block in rows).decode()


def allow_alice(company: Company) -> None:
    company.cast.alice.user_permissions.add(Permission.objects.get(codename="erase_content"))


def chatter() -> list[Turn]:
    """Return turns of a model that repeats the canary in everything it says, thinks, asks and calls."""
    order = {"order_id": f"A {CANARY}"}
    refund = {"name": "refund", "arguments": f'{{"order_id": "{CANARY}"}}'}
    thought = {
        "content": None,
        "reasoning_content": f"They mean {CANARY}.",
        "tool_calls": [{"id": "x", "type": "function", "function": refund}],
    }
    unfit = (f"fly_{CANARY}", {"to": CANARY}), ("refund", f'{{"order_id": "{CANARY}')
    return [
        proposes(("look_up", order), text=f"Looking for {CANARY}."),
        proposes(("ask_user", {"question": f"Is it {CANARY}?"})),
        reply(completion(message=thought)),
        proposes(*unfit, ("cancel", order)),
        says(f"Done, {CANARY}."),
    ]


def say_it_all(company: Company) -> Run:
    """Return a run that goes on next with what was approved; user, model and approver have named the canary."""
    client = company.cast.application.service_account
    trace = {"traceparent": TRACEPARENT, "tracestate": f"shop={CANARY}"}
    run = company.drive(company.start(f"I am {CANARY}, help me.", **trace))
    run = add_message(actor=client, run=run, text=f"Quickly! {CANARY}")
    run = company.drive(answer_input(actor=client, run=run, text=f"Yes, {CANARY}."))
    company.decide(reason=f"{CANARY} is a good customer")
    return run


@pytest.fixture
def talkative(company: Company) -> Run:
    """Return a run that has put the canary into everything that takes words, late outcomes included."""
    company.add_reads()
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    late = company.add_tool("cancel", idempotency="none", on_unknown="halt")
    company.let_decide(version.tool)
    company.publish()
    company.world.mishaps.append(lambda _do: {"customer": f"Ann {CANARY}"})
    company.play(*chatter())
    run = say_it_all(company)

    def take_over() -> None:
        abandon(run)
        driver.drive(run.pk)

    company.world.mishaps.extend([lambda do: do(), meanwhile(take_over)])
    run = company.drive(run)
    assert (run.state, run.status_reason) == ("halted", "outcome_unknown")
    assert late.tool.name == "cancel"
    return run


def test_erasing_leaves_no_word_anywhere_and_the_chain_intact(company: Company, talkative: Run) -> None:
    assert Stream.objects.filter(kind="evidence").exists()
    said = dump().count(CANARY)
    assert said > 12
    allow_alice(company)
    erased = erase_run(actor=company.cast.alice, run=talkative, reason="the customer asked for it")
    assert erased > 12
    assert dump().count(CANARY) == 0
    entry = last_entry(talkative.principal_id)
    assert (entry.kind, entry.facts) == ("content.erased", {"run": str(talkative.pk), "entries": erased})
    company.check()  # hash chains, histories, rows


def test_a_run_that_is_going_on_keeps_its_words(company: Company) -> None:
    run = company.run(proposes(("ask_user", {"question": "?"})), says("Done."))
    allow_alice(company)
    with pytest.raises(StateConflict):
        erase_run(actor=company.cast.alice, run=run, reason="")


def test_who_was_not_given_the_right_erases_nothing(company: Company) -> None:
    run = company.run(says("Done."), message=CANARY)
    company.cast.charlie.user_permissions.add(Permission.objects.get(codename="erase_content"))
    for actor in (
        company.cast.alice,
        company.cast.bob,
        company.cast.charlie,
        company.cast.agent.service_account,
    ):
        with pytest.raises(PolicyDenied):
            erase_run(actor=actor, run=run, reason="")
    assert CANARY in dump()


def test_without_the_salt_gone_a_digest_would_betray_a_guess(company: Company) -> None:
    """The mutant: content erased, salt kept. Whoever guesses the words could check them."""
    run = company.run(says("Done."), message=CANARY)
    guess = json.dumps({"message": CANARY}, separators=(",", ":"))
    query = "SELECT salt, content_digest FROM ledger_entry WHERE stream = %s AND seq = 1"
    with as_owner() as owner:
        owner.execute("UPDATE ledger_entry SET content = NULL WHERE stream = %s", [run.pk])
        salt, digest = owner.execute(query, [run.pk]).fetchone() or (b"", b"")
    assert digest_content(bytes(salt), guess) == bytes(digest)
    allow_alice(company)
    erase_run(actor=company.cast.alice, run=run, reason="")
    with as_owner(triggers=True) as owner:
        assert owner.execute(query, [run.pk]).fetchone() == (None, digest), "nothing is left to check with"


@pytest.fixture
def frozen(company: Company) -> Session:
    """Return the hold of a driver that saw a tool answer with the canary, and awoke when its run had ended."""
    allow_alice(company)
    company.play(says("Hello."))
    run = company.start()
    with borrowed() as lent, lent.cursor() as cursor:
        taken = lease_rows.take_lease(cursor, run.pk, owner="tests:1", lease_s=60)
    assert taken is not None
    epoch, due_at, context = taken
    session = open_session(context, epoch, due_at)
    answer = Draft(e.CALL_SUCCEEDED, timezone.now(), {"step": 1, "call": 1}, {"value": CANARY})
    session.pending = [(answer, session.state)]
    abandon(run)
    cancel_run(actor=company.cast.alice, run=run)
    assert company.drive(run).has_ended
    return session


def test_an_outcome_that_comes_after_its_run_was_erased_brings_no_words_back(
    company: Company, frozen: Session
) -> None:
    run = Run.objects.get(pk=frozen.context.run_id)
    erase_run(actor=company.cast.alice, run=run, reason="")
    late_outcomes.keep_late_outcomes(frozen)
    assert CANARY not in dump()
    entry = last_entry(Stream.objects.get(kind="evidence").pk)
    assert (entry.kind, entry.facts["kind"]) == ("outcome.late", "call.succeeded"), (
        "that it happened stays known"
    )


def test_an_outcome_that_comes_while_its_run_is_erased_brings_no_words_back(
    company: Company, frozen: Session
) -> None:
    run = Run.objects.get(pk=frozen.context.run_id)
    late = threading.Thread(target=late_outcomes.keep_late_outcomes, args=(frozen,))
    with transaction.atomic():
        erase_run(actor=company.cast.alice, run=run, reason="")
        late.start()
        wait_until_blocked(late)
    late.join()
    assert CANARY not in dump()


def test_an_outcome_that_came_too_late_keeps_its_words_until_they_are_erased(
    company: Company, frozen: Session
) -> None:
    late_outcomes.keep_late_outcomes(frozen)
    assert CANARY in dump()
    erase_run(actor=company.cast.alice, run=Run.objects.get(pk=frozen.context.run_id), reason="")
    assert CANARY not in dump()


def wait_until_blocked(thread: threading.Thread) -> None:
    """Wait until a thread's statement waits for a lock, or until the thread has come to its end."""
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with connect() as onlooker:
        while thread.is_alive() and onlooker.execute(query).fetchone() is None:
            thread.join(0.005)


# --- a person ------------------------------------------------------------------------------------------------


@pytest.fixture
def ann(company: Company, talkative: Run) -> Principal:
    """Return the end user of two runs, under an identifier that is found nowhere else."""
    company.play(says(f"Hello again, {WHO}."))
    company.drive(company.start(f"It is me again, {WHO}."))
    principal = talkative.principal
    principal.subject = WHO
    principal.save()
    assert principal.runs.count() == 2
    return principal


def test_erasing_a_person_leaves_neither_words_nor_identifier_anywhere(
    company: Company, talkative: Run, ann: Principal
) -> None:
    allow_alice(company)
    erase_run(actor=company.cast.alice, run=talkative, reason=f"asked for by {WHO}")
    assert dump().count(WHO) > 2
    erased = erase_principal(actor=company.cast.alice, principal=ann, reason="asked for in ticket 7")
    assert (dump().count(WHO), dump().count(CANARY)) == (0, 0)
    ann.refresh_from_db()
    assert ann.subject.startswith("erased-")
    assert ann.erased_at is not None
    entry = last_entry(ann.pk)
    assert (entry.kind, entry.facts["runs"], entry.actor) == ("principal.erased", 2, company.cast.alice.pk)
    assert erased == entry.facts["entries"] + 1, "the reason of the first erasure went too"
    company.check()


def test_a_person_who_comes_back_is_somebody_new_and_can_be_erased_again(
    company: Company, ann: Principal
) -> None:
    allow_alice(company)
    erase_principal(actor=company.cast.alice, principal=ann, reason="")
    before = Principal.objects.get(pk=ann.pk)
    erase_principal(actor=company.cast.alice, principal=ann, reason="")  # once more changes nothing
    assert Principal.objects.get(pk=ann.pk).subject == before.subject
    back = PrincipalFactory.create(team=ann.team, issuer=ann.issuer, subject=WHO)
    erase_principal(actor=company.cast.alice, principal=back, reason="")
    assert WHO not in dump()
    assert Principal.objects.get(pk=back.pk).subject != before.subject


@pytest.mark.parametrize("reason", [f"{WHO} wants it", WHO.upper()])
def test_the_reason_must_not_name_the_person(company: Company, ann: Principal, reason: str) -> None:
    allow_alice(company)
    with pytest.raises(ValidationFailed):
        erase_principal(actor=company.cast.alice, principal=ann, reason=reason)


def test_a_person_whose_run_is_going_on_is_not_erased(company: Company, ann: Principal) -> None:
    allow_alice(company)
    RunFactory.create(agent_version=company.published, principal=ann, team=company.cast.team)
    with pytest.raises(StateConflict):
        erase_principal(actor=company.cast.alice, principal=ann, reason="")
    assert WHO in dump()
    assert CANARY in dump(), "all or nothing"


def test_a_member_of_staff_is_an_account_and_not_erased(company: Company) -> None:
    staff = PrincipalFactory.create(team=company.cast.team, issuer=STAFF_ISSUER, subject="bob")
    allow_alice(company)
    with pytest.raises(StateConflict):
        erase_principal(actor=company.cast.alice, principal=staff, reason="")


def test_who_was_not_given_the_right_erases_nobody(company: Company, ann: Principal) -> None:
    allow_alice(company)
    company.cast.charlie.user_permissions.add(Permission.objects.get(codename="erase_content"))
    for actor in (company.cast.bob, company.cast.charlie, company.cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            erase_principal(actor=actor, principal=ann, reason="")
    ann.runs.update(team=company.cast.other_team)  # as if the agent had been another team's then
    with pytest.raises(PolicyDenied):
        erase_principal(actor=company.cast.alice, principal=ann, reason="")
    assert WHO in dump()


def test_a_run_that_starts_while_its_person_is_erased_is_somebody_elses(
    company: Company, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the row that was found is taken without looking whether it is still that person's."""
    allow_alice(company)
    found = Principal.objects.get(pk=ann.pk)
    erase_principal(actor=company.cast.alice, principal=ann, reason="")
    look = Principal.objects.get_or_create
    answers = iter([(found, False)])
    monkeypatch.setattr(Principal.objects, "get_or_create", lambda **who: next(answers, None) or look(**who))
    run = start_run(
        actor=company.cast.application.service_account, agent=company.cast.agent, message="Hello.",
        issuer=ann.issuer, subject=WHO, application=company.cast.application,
    )  # fmt: skip
    assert (run.principal_id != ann.pk, run.principal.subject) == (True, WHO)


# --- at the console and in a terminal ------------------------------------------------------------------------


def test_the_page_of_a_run_erases_its_words(company: Company) -> None:
    run = company.run(says("Done."), message=CANARY)
    client = sign_in(company.cast.alice)
    assert 'value="erase"' not in client.get(page_of("runs_run", "change", run.pk)).content.decode()
    allow_alice(company)
    assert 'value="erase"' in client.get(page_of("runs_run", "change", run.pk)).content.decode()
    form = {"action": "erase", "_selected_action": str(run.pk), "index": "0"}
    assert "Erase every word" in text_of(client.post(page_of("runs_run", "changelist"), form))
    assert "Say why" in text_of(act(client, "runs_run", "erase", run.pk, reason=" "))
    assert CANARY in dump()
    assert "1 run erased." in text_of(act(client, "runs_run", "erase", run.pk))
    assert CANARY not in dump()


def test_the_page_of_a_person_erases_them(company: Company, ann: Principal) -> None:
    allow_alice(company)
    client = sign_in(company.cast.alice)
    assert WHO in text_of(client.get(page_of("identities_principal", "changelist")))
    assert 'value="erase"' in client.get(page_of("identities_principal", "change", ann.pk)).content.decode()
    assert "1 end user erased." in text_of(act(client, "identities_principal", "erase", ann.pk))
    assert WHO not in text_of(client.get(page_of("identities_principal", "change", ann.pk)))
    assert WHO not in dump()


def test_an_outsider_erases_nothing_at_the_console(company: Company, talkative: Run, ann: Principal) -> None:
    company.cast.charlie.user_permissions.add(Permission.objects.get(codename="erase_content"))
    client = sign_in(company.cast.charlie)
    act(client, "runs_run", "erase", talkative.pk)
    act(client, "identities_principal", "erase", ann.pk)
    bob = sign_in(company.cast.bob)
    act(bob, "runs_run", "erase", talkative.pk)
    act(bob, "identities_principal", "erase", ann.pk)
    assert WHO in dump()
    assert CANARY in dump()


def test_the_commands_erase_for_whom_may(company: Company, talkative: Run, ann: Principal) -> None:
    why = ("--reason", "ticket 7", "--as")
    person = ("erase_principal", ann.issuer, WHO, *why)
    for refused in (("erase_run", str(talkative.pk), *why), person):
        with pytest.raises(CommandError, match="takes the right"):
            call_command(*refused, "bob")
    allow_alice(company)
    call_command("erase_run", str(talkative.pk), *why, "alice")
    assert CANARY not in dump()
    PrincipalFactory.create(team=company.cast.other_team, issuer=ann.issuer, subject=WHO)
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command(*person, "alice")  # known to a team that is not hers: in all or in none
    assert WHO in dump()
    call_command(*person, "ada")
    assert WHO not in dump()


def test_what_was_seen_too_late_is_found_by_an_index(db: None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # an empty table would be read whole
        cursor.execute(f"EXPLAIN {erasure._STREAMS}", {"run": new_id()})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    scans, found = plan.count(" on ledger_entry"), plan.count("Index Cond: ((facts ->> 'run'::text)")
    # Of a month that the server knows to be empty, any index is as good; most were never looked at.
    assert found * 2 > scans, plan
