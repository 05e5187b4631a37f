from __future__ import annotations

import json
import os
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Permission
from psycopg import sql

from agentops.errors import PolicyDenied, StateConflict
from agentops.ledger.entries import digest_content
from agentops.ledger.models import Stream
from runs import driver
from runs.erasure import erase_run
from runs.models import Run
from runs.services import add_message, answer_input
from tests.ledger import last_entry
from tests.ledger.forging import as_owner
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import Result, meanwhile
from tests.runs.planner.provider import completion, reply
from tests.runs.test_driver import abandon

CANARY = "canary-7d1f"
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


@pytest.fixture
def talkative(company: Company) -> Run:
    """Return a run that has put the canary into everything that takes words, late outcomes included."""
    company.add_reads()
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    late = company.add_tool("cancel", idempotency="none", on_unknown="halt")
    company.let_decide(version.tool)
    company.publish()
    order = {"order_id": f"A {CANARY}"}

    def tell(do: object) -> Result:
        return {"customer": f"Ann {CANARY}"}

    company.world.mishaps.extend([tell])
    company.play(
        proposes(("look_up", order), text=f"Looking for {CANARY}."),
        proposes(("ask_user", {"question": f"Is it {CANARY}?"})),
        reply(
            completion(
                message={
                    "content": None,
                    "reasoning_content": f"They mean {CANARY}.",
                    "tool_calls": [
                        {
                            "id": "x",
                            "type": "function",
                            "function": {"name": "refund", "arguments": f'{{"order_id": "{CANARY}"}}'},
                        }
                    ],
                }
            )
        ),
        proposes(("fly", {"to": CANARY}), ("refund", f'{{"order_id": "{CANARY}'), ("cancel", order)),
        says(f"Done, {CANARY}."),
    )
    client = company.cast.application.service_account
    run = company.drive(company.start(f"I am {CANARY}, help me."))
    run = company.drive(answer_input(actor=client, run=run, text=f"Yes, {CANARY}."))
    run = add_message(actor=client, run=run, text=f"Quickly! {CANARY}")
    company.decide(reason=f"{CANARY} is a good customer")

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
