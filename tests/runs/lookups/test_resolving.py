"""Identifiers that are looked up from the user's words, through the driver: one, several, none."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from runs.lookups import resolving
from tests.runs.company import SUBJECT, Company, proposes, says
from tests.runs.deeds import WORLD
from tests.runs.lookups.shop import (
    BLUE,
    LOOKED_UP,
    RESOLVED,
    asks_people,
    cancels,
)


def test_what_fits_alone_is_what_the_tool_is_given(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(cancels(BLUE), says("Done."), message="Please cancel the blue kettle.")
    assert shop.states(run) == [("succeeded", "ok")]
    assert shop.content(run, "call.succeeded")["value"] == {"cancelled": "A-1"}
    assert WORLD.attempts == ["find_orders blue kettle", "cancel"]
    assert {caller.principal_subject for caller in WORLD.callers} == {SUBJECT}


def test_the_trace_says_what_was_said_and_what_it_became(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(cancels("the red kettle"), says("Done."), message="the red kettle")
    [told] = shop.content(run, "call.allowed")["resolutions"]
    assert (told["said"], told["value"], told["label"], told["tool"], told["how"], told["among"]) == (
        "the red kettle", "A-2", "Red kettle", "find_orders", "words", 2,
    )  # fmt: skip
    [facts] = shop.facts(run, "call.allowed")
    [resolved] = facts["resolved"]
    assert (resolved["argument"], resolved["among"]) == ("order_id", 2)
    assert "A-2" not in str(facts)
    assert "kettle" not in str(facts)  # facts outlive erasure


def test_several_go_back_to_the_planner_and_it_may_choose(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(cancels("kettle"), cancels("A-2"), says("Done."), message="Cancel my kettle")
    assert shop.states(run) == [("refused", "ambiguous_reference"), ("succeeded", "ok")]
    assert "A-1" in str(shop.observations(1))
    assert "Red kettle" in str(shop.observations(1))
    assert "yacht" not in str(shop.asked())
    assert WORLD.attempts == ["find_orders kettle", "cancel"]  # what was offered is known
    [refused] = shop.facts(run, "call.refused")
    [asked] = refused["lookups"]
    assert (asked["tool"], asked["argument"], asked["among"], len(asked["permit"])) == (
        "find_orders", "order_id", 2, 16,
    )  # fmt: skip
    assert "kettle" not in str(refused)


@pytest.mark.parametrize("said", ["the secret yacht", "B-1", "a purple elephant"])
def test_what_is_not_there_and_what_is_another_s_are_told_alike(shop: Company, said: str) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(cancels(said), says("Done."), message="Please.")
    assert shop.states(run) == [("refused", "unknown_reference")]
    assert "Secret" not in str(shop.asked())
    assert shop.world.effects == []


@pytest.mark.parametrize("said", ["", "x" * 301, True, ["A-1"], {"id": "A-1"}])
def test_what_says_nothing_is_refused(shop: Company, said: Any) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(cancels(said), says("Done."))
    assert shop.states(run) == [("refused", "unknown_reference")]


def test_an_identifier_stays_what_it_is(shop: Company) -> None:
    shop.add_tool("cancel", resolvers={"order_id": {**LOOKED_UP, "query": ""}})
    run = shop.run(cancels("A-3"), says("Done."), message="Cancel A-3")
    assert shop.content(run, "call.succeeded")["value"] == {"cancelled": "A-3"}


def test_an_identifier_that_the_run_has_read_is_not_looked_up_again(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    run = shop.run(proposes(("find_orders", {})), cancels("A-3"), says("Done."))
    assert shop.states(run) == [("succeeded", "ok")] * 2
    assert WORLD.attempts == ["find_orders", "cancel"]


def test_the_planner_is_told_that_it_may_describe(shop: Company) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    shop.run(says("Done."))
    [shown] = [tool["function"] for tool in shop.asked()[0]["tools"] if tool["function"]["name"] == "cancel"]
    assert "the user's words" in shown["parameters"]["properties"]["order_id"]["description"]


@pytest.mark.parametrize("why", ["no grant", "denied", "asks people", "not there", "fails"])
def test_where_nobody_may_look_up_nothing_happens(shop: Company, why: str) -> None:
    shop.add_tool("cancel", resolvers=RESOLVED)
    lookup = shop.versions[0]
    if why == "not there":
        shop.versions.pop(0)
    elif why == "fails":
        WORLD.mishaps.append(lambda _: {"orders": "none of your business"})
    elif why == "no grant":
        lookup.tool.grants.update(state="superseded")
    else:
        shop.grant(lookup.tool, "DENY" if why == "denied" else "REQUIRE_APPROVAL")
    run = shop.run(cancels(BLUE), says("Done."))
    assert shop.states(run) == [("refused", "lookup_failed")]
    assert shop.world.effects == []


def test_people_see_what_was_said_and_sign_what_it_became(shop: Company) -> None:
    asks_people(shop)
    run = shop.run(cancels(BLUE), says("Done."), message="Please cancel the blue kettle.")
    request = ApprovalRequest.objects.get()
    evidence = read_evidence(request) or {}
    assert evidence["arguments"] == {"order_id": "A-1"}
    [told] = evidence["resolutions"]
    assert (told["said"], told["value"], told["among"]) == (BLUE, "A-1", 2)
    WORLD.shelf[0]["id"] = "A-9"  # the same words would mean another order now
    shop.decide()
    run = shop.drive(run)
    assert shop.content(run, "call.succeeded")["value"] == {"cancelled": "A-1"}
    assert WORLD.attempts == ["find_orders blue kettle", "cancel"]


def test_mutant_words_that_are_looked_up_again_are_another_call(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks_people(shop)
    shop.is_mutant = True
    run = shop.run(cancels(BLUE), says("Done."), message="Please cancel the blue kettle.")
    WORLD.shelf[0]["id"] = "A-9"
    monkeypatch.setattr(resolving, "_find_kept", lambda *_: None)
    shop.decide()
    run = shop.drive(run)
    assert shop.states(run) == [("refused", "approval_voided")]  # the signature is for A-1


def test_what_was_erased_is_not_looked_up_again(shop: Company) -> None:
    asks_people(shop)
    run = shop.run(cancels(BLUE), says("Done."), message="Please cancel the blue kettle.")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s AND kind = 'call.gated'",
            [run.pk],
        )
    shop.decide()
    run = shop.drive(run)
    assert shop.states(run) == [("refused", "lookup_failed")]
    assert shop.world.effects == []
