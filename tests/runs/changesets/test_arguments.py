"""What an item's arguments rest on is what it rests on when it is carried out: words, tables, nobody's edit."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import AgentOpsError, StateConflict
from approvals.edits import edit_call, look_at_edit
from approvals.models import ApprovalRequest
from runs import decided, edits
from runs.actions import proposals
from runs.models import ChangeSet
from tests.rewriting import rewrite
from tests.runs.changesets.proposing import REFUND, carry_out, prepare, propose, review
from tests.runs.company import Company
from tests.runs.deeds import WORLD
from tests.runs.lookups.shop import BLUE, READ, RESOLVED, TRUSTED, order
from tests.tools.tables import eligibility, make_table, publish
from tools.services.table_faults import derive_schemas

OTHER = {"order_id": "A-2"}

# --- edits -------------------------------------------------------------------------------------------------


def edit(company: Company) -> None:
    """Look at an edit of the item as Fiona, and make it."""
    request = ApprovalRequest.objects.get()
    given: dict[str, Any] = {
        "actor": company.cast.fiona, "request": request, "digest": request.digest, "arguments": OTHER,
    }  # fmt: skip
    look = look_at_edit(**given)
    edit_call(**given, edited=look.digest, reason="half", channel="api", second_factor=True)


def test_an_item_is_not_edited_and_whoever_tries_is_told_what_to_do(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND)
    with pytest.raises(StateConflict, match="is_staged") as refused:
        edit(company)
    assert "approve it, deny it, or send the set back with a comment" in refused.value.detail
    assert ApprovalRequest.objects.get().state == "waiting"
    review(company, made)
    carry_out(company, made)
    assert company.world.effects == [f"{made.pk}:1:refund:1"]


def test_without_that_nobody_says_what_to_do(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, edits, "_refuse_staged", ".exists()", ".exists() and False")
    prepare(company)
    propose(company, REFUND)
    with pytest.raises(AgentOpsError) as refused:
        edit(company)
    assert "comment" not in refused.value.detail


# --- what was looked up ------------------------------------------------------------------------------------


@pytest.fixture
def shop(company: Company) -> Company:
    """Provide a shop whose refund is told what is meant."""
    company.add_tool("find_orders", provenance=TRUSTED, **READ)
    WORLD.shelf += [order("A-1", "Blue kettle"), order("A-2", "Red kettle")]
    version = company.add_tool("cancel", resolvers=RESOLVED)
    company.let_decide(version.tool)
    return company


def cancels(said: str) -> tuple[str, dict[str, str]]:
    return "cancel", {"order_id": said}


def propose_cancelling(shop: Company, *said: str) -> ChangeSet:
    made = propose(shop, *map(cancels, said), message="Please cancel the blue kettle.")
    assert all(each.is_taken for each in review(shop, made))
    return made


def test_what_was_described_is_what_reviewers_saw(shop: Company) -> None:
    applied = carry_out(shop, propose_cancelling(shop, BLUE))
    assert shop.states(applied) == [("succeeded", "ok")]
    assert shop.content(applied, "call.succeeded")["value"] == {"cancelled": "A-1"}


def test_words_that_mean_something_else_by_now_are_not_carried_out(shop: Company) -> None:
    made = propose_cancelling(shop, BLUE)
    WORLD.shelf[0]["summary"], WORLD.shelf[1]["summary"] = "Red kettle", "Blue kettle"
    applied = carry_out(shop, made)
    assert shop.states(applied) == [("refused", "state_changed")]
    assert shop.world.effects == []


def test_words_that_mean_nothing_or_several_things_by_now_are_not_carried_out(shop: Company) -> None:
    made = propose_cancelling(shop, BLUE)
    WORLD.shelf.append(order("A-9", "Blue kettle"))
    applied = carry_out(shop, made)
    assert shop.states(applied) == [("refused", "ambiguous_reference")]
    assert shop.world.effects == []


def test_what_the_agent_chose_of_several_stays_chosen(shop: Company) -> None:
    """It knew the number because it was told it; the applying run was told nothing."""
    made = propose_cancelling(shop, "kettle", "A-2")
    assert made.size == 1
    applied = carry_out(shop, made)
    assert shop.states(applied) == [("succeeded", "ok")]
    assert shop.content(applied, "call.succeeded")["value"] == {"cancelled": "A-2"}


# --- what a table decided ----------------------------------------------------------------------------------

BOUND = {"amount": {"tool": "eligibility", "output": "amount", "inputs": {"order_id": "order_id"}}}
ASKED = ("eligibility", {"order_id": "A-1", "days": 3})
DECIDED = ("refund", {"order_id": "A-1", "amount": "50.00"})


@pytest.fixture
def deciding(company: Company) -> Company:
    """Provide a table in force, a tool that asks it, and a refund that is bound to it."""
    table = make_table(company.cast)
    publish(company.cast, table, eligibility())
    schemas = derive_schemas(company.cast.team, table.slug)
    company.add_tool(
        "eligibility", effect="read", adapter="decision", config={"table": table.slug}, **schemas
    )
    company.let_decide(company.add_tool("refund", bound=BOUND).tool)
    return company


def test_what_was_decided_where_it_was_proposed_counts_where_it_is_carried_out(deciding: Company) -> None:
    made = propose(deciding, ASKED, DECIDED)
    review(deciding, made)
    applied = carry_out(deciding, made)
    assert deciding.states(applied) == [("succeeded", "ok")]
    assert deciding.world.effects == [f"{made.pk}:1:refund:1"]


def test_another_amount_is_not_even_proposed(deciding: Company) -> None:
    wrong = ("refund", {"order_id": "A-1", "amount": "51.00"})
    made = propose(deciding, ASKED, wrong, DECIDED)
    assert deciding.states(made.run)[1] == ("refused", "not_the_decided_value")
    assert made.size == 1


def test_without_looking_there_nothing_that_a_table_decided_could_be_carried_out(
    deciding: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = "session.applying.run if session.applying else session.context.run_id"
    rewrite(monkeypatch, decided, "find_undecided", there, "session.context.run_id")
    monkeypatch.setattr(proposals, "find_undecided", decided.find_undecided)
    made = propose(deciding, ASKED, DECIDED)
    review(deciding, made)
    applied = carry_out(deciding, made)
    assert deciding.states(applied) == [("refused", "not_the_decided_value")]
