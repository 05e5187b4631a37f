"""Runs that act on behalf of another: driven for real, on the database, through the services."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from agentops.errors import AgentOpsError
from approvals.capacity import set_review_capacity
from approvals.models import ApprovalRequest
from identities.services import issue_api_key, suspend_agent
from runs import lease_rows
from runs.concerns import is_ending
from runs.models import Run
from runs.receipts import write_receipt
from runs.services import cancel_run, kill_run
from runs.stops import stop
from tests.authority.conftest import Desk, Taking
from tests.factories import AgentFactory, AgentVersionFactory, RunFactory
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile, refuse
from tools.models import CapUsage, ToolGrant, UserTerms
from tools.services import Terms, end_user_terms, set_user_terms

pytestmark = pytest.mark.authority

ALLOW: dict[str, Any] = {"decision": "ALLOW"}
CAPPED: dict[str, Any] = {"decision": "ALLOW_WITH_CAPS", "caps": [{"per": "day", "count": 2}]}


def drive(desk: Desk, run: Run, *turns: Any) -> list[tuple[str, str]]:
    desk.company.play(*turns)
    desk.company.drive(run)
    return desk.company.states(run)


@pytest.fixture
def tool(company: Company) -> str:
    company.add_tool("refund")
    company.publish()
    return "refund"


# --- what a child may do ----------------------------------------------------------------------------------


def test_a_child_may_not_what_its_parent_may_not(desk: Desk, tool: str) -> None:
    child_agent = desk.hire(grants={tool: ALLOW})
    parent = desk.company.start()
    allowed = desk.start(child_agent, parent=parent)
    assert drive(desk, allowed, proposes((tool, ORDER)), says("Done.")) == [("succeeded", "ok")]
    ToolGrant.objects.filter(identity=parent.identity).update(state="revoked")
    refused = desk.start(child_agent, parent=parent)
    assert drive(desk, refused, proposes((tool, ORDER)), says("Well.")) == [("refused", "parent_no_grant")]
    assert desk.company.world.attempts == [tool]


def test_what_children_do_is_taken_from_their_parents_caps(desk: Desk, company: Company) -> None:
    company.add_tool("refund", grant=None)
    grant = company.grant(company.versions[0].tool, **CAPPED)
    company.publish()
    parent = company.start()
    for _ in range(2):
        child = desk.start(desk.hire(grants={"refund": ALLOW}), parent=parent)
        assert drive(desk, child, proposes(("refund", ORDER)), says("Done.")) == [("succeeded", "ok")]
    last = desk.start(desk.hire(grants={"refund": ALLOW}), parent=parent)
    told = drive(desk, last, proposes(("refund", ORDER)), says("Well."))
    assert told == [("refused", "parent_cap_exceeded")]
    usage = CapUsage.objects.get()
    assert (usage.identity_id, usage.used_count) == (grant.identity_id, 2)


def test_what_surely_had_no_effect_is_given_back_to_the_parent(desk: Desk, company: Company) -> None:
    company.add_tool("refund", grant=None)
    company.grant(company.versions[0].tool, **CAPPED)
    company.publish()
    child = desk.start(desk.hire(grants={"refund": CAPPED}), parent=company.start())
    company.world.mishaps.append(refuse)
    assert drive(desk, child, proposes(("refund", ORDER)), says("Well."))[0][0] == "failed"
    assert {usage.used_count for usage in CapUsage.objects.all()} == {0}
    assert CapUsage.objects.count() == 2


def test_where_a_parent_has_to_ask_its_child_has_to(desk: Desk, company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(company.versions[0].tool)
    company.publish()
    child = desk.start(desk.hire(grants={"refund": ALLOW}), parent=company.start())
    assert drive(desk, child, proposes(("refund", ORDER)), says("Done.")) == [("waiting", "")]
    company.decide()
    assert drive(desk, child) == [("succeeded", "ok")]


def test_an_approval_counts_no_more_once_a_parents_terms_have_changed(desk: Desk, company: Company) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    company.publish()
    child = desk.start(desk.hire(grants={"refund": ALLOW}), parent=company.start())
    drive(desk, child, proposes(("refund", ORDER)), says("Well."))
    company.grant(version.tool, "REQUIRE_APPROVAL", approval_ttl_s=599)
    company.decide()
    assert drive(desk, child)[0][0] == "refused"
    assert company.world.attempts == []


# --- how it ends ------------------------------------------------------------------------------------------


def end_parent(desk: Desk, parent: Run) -> None:
    cancel_run(actor=desk.company.cast.application.service_account, run=parent)
    desk.company.drive(parent)


def cancel_parent(desk: Desk, parent: Run) -> None:
    """Cancel it, with no worker that has the time to end it."""
    cancel_run(actor=desk.company.cast.application.service_account, run=parent)


def kill_parent(desk: Desk, parent: Run) -> None:
    """Kill it, with no worker that has the time to end it."""
    kill_run(actor=desk.company.cast.ada, run=parent, reason="It goes wrong.")


def stop_parents_provider(desk: Desk, parent: Run) -> None:
    """Stop its model provider, which is not its child's."""
    version = AgentVersionFactory.create(identity=parent.identity, number=9, planner="null")
    Run.objects.filter(pk=parent.pk).update(agent_version=version)
    stop(actor=desk.company.cast.ada, scope="provider", target="null", reason="It goes wrong.")


def suspend_parents_agent(desk: Desk, parent: Run) -> None:
    suspend_agent(actor=desk.company.cast.ada, agent=parent.identity)


@pytest.mark.parametrize(
    ("taking", "reason"),
    [
        (end_parent, "parent_ended"),
        (cancel_parent, "parent_ended"),
        (kill_parent, "parent_ended"),
        (stop_parents_provider, "parent_ended"),
        (suspend_parents_agent, "parent_stopped"),
    ],
)
def test_a_child_ends_with_its_parent(desk: Desk, tool: str, taking: Taking, reason: str) -> None:
    """In the middle of a call: the next one is not made, nor the model asked again."""
    parent = desk.company.start()
    child = desk.start(desk.hire(grants={tool: ALLOW}), parent=parent)
    desk.company.world.mishaps.append(meanwhile(lambda: taking(desk, parent)))
    told = drive(desk, child, proposes((tool, ORDER), (tool, {"order_id": "A-2"})), says("Done."))
    child.refresh_from_db()
    assert (child.state, child.status_reason) == ("halted", reason)
    assert told[0] == ("succeeded", "ok")
    assert desk.company.world.attempts == [tool]
    assert len(desk.company.asked()) == 1


def test_a_child_ends_with_the_key_of_its_parent(desk: Desk, tool: str) -> None:
    """It was started with another, or with none."""
    cast = desk.company.cast
    key, _ = issue_api_key(actor=cast.ada, user=cast.application.service_account, label="shop")
    parent = desk.company.start(credential=key)
    child = desk.start(desk.hire(grants={tool: ALLOW}), parent=parent)

    def stop_key() -> None:
        stop(actor=cast.ada, scope="credential", target=str(key.pk), reason="It goes wrong.")

    desk.company.world.mishaps.append(meanwhile(stop_key))
    told = drive(desk, child, proposes((tool, ORDER), (tool, {"order_id": "A-2"})), says("Done."))
    child.refresh_from_db()
    assert (child.state, child.status_reason) == ("halted", "parent_ended")
    assert (told[0], desk.company.world.attempts) == (("succeeded", "ok"), [tool])


@pytest.mark.parametrize("scope", ["run", "agent"])
def test_a_stop_counts_the_children_among_what_it_met(desk: Desk, tool: str, scope: str) -> None:
    parent = desk.company.start()
    child = desk.start(desk.hire(grants={tool: ALLOW}), parent=parent)
    target = parent.pk if scope == "run" else parent.identity_id
    made = stop(actor=desk.company.cast.ada, scope=scope, target=str(target), reason="Fire.")
    receipt = write_receipt(made, desk.company.cast.ada)
    assert {run.pk for run in receipt.runs} == {parent.pk, child.pk}


def test_a_child_of_a_child_ends_with_the_first(desk: Desk, tool: str) -> None:
    first = desk.company.start()
    second = desk.start(desk.hire(grants={tool: ALLOW}), parent=first)
    third = desk.start(desk.hire(grants={tool: ALLOW}), parent=second)
    end_parent(desk, first)
    drive(desk, third, says("Done."))
    third.refresh_from_db()
    assert third.status_reason == "parent_ended"
    assert desk.company.asked() == []


def test_a_child_that_rests_is_found_when_its_parent_has_ended(desk: Desk, company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(company.versions[0].tool)
    company.publish()
    parent = company.start()
    child = desk.start(desk.hire(grants={"refund": ALLOW}), parent=parent)
    drive(desk, child, proposes(("refund", ORDER)), says("Done."))
    with connection.cursor() as cursor:
        assert child.pk not in lease_rows.find_due(cursor, 10)
        end_parent(desk, parent)
        assert child.pk in lease_rows.find_due(cursor, 10)
    desk.company.drive(child)
    child.refresh_from_db()
    assert child.status_reason == "parent_ended"
    assert ApprovalRequest.objects.get().state == "voided"


def test_without_the_comparison_a_child_goes_on_after_its_parent(
    desk: Desk, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the append does not look at the parent."""
    desk.company.is_mutant = True
    rewrite_appends(monkeypatch, is_ending("parent"), "false")
    parent = desk.company.start()
    child = desk.start(desk.hire(grants={tool: ALLOW}), parent=parent)
    desk.company.world.mishaps.append(meanwhile(lambda: end_parent(desk, parent)))
    drive(desk, child, proposes((tool, ORDER)), says("Done."))
    assert len(desk.company.asked()) == 2


# --- limits, and end users --------------------------------------------------------------------------------


def test_a_run_does_only_what_it_was_started_for(desk: Desk, company: Company) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    run = company.start(limits={"refund": {"caps": [{"per": "run", "count": 1}]}})
    calls = (("refund", ORDER), ("refund", {"order_id": "A-2"}), ("cancel", ORDER))
    told = drive(desk, run, *(proposes(call) for call in calls), says("Done."))
    assert told == [("succeeded", "ok"), ("refused", "run_cap_exceeded"), ("refused", "denied_by_run")]


def test_what_a_parent_was_started_for_binds_its_child(desk: Desk, tool: str) -> None:
    parent = desk.company.start(limits={})
    child = desk.start(desk.hire(grants={tool: ALLOW}), parent=parent)
    assert drive(desk, child, proposes((tool, ORDER)), says("Well.")) == [("refused", "denied_by_parent")]


def test_terms_of_end_users_cut_what_an_agent_may(desk: Desk, tool: str) -> None:
    company = desk.company
    terms = Terms("ALLOW_WITH_CAPS", ({"per": "day", "count": 1},))
    kept = set_user_terms(
        actor=company.cast.alice, tool=company.versions[0].tool, principal=None, terms=terms
    )
    for subject, then in (("one", "succeeded"), ("one", "refused"), ("another", "succeeded")):
        run = company.start(subject=subject)
        assert drive(desk, run, proposes((tool, ORDER)), says("Well."))[0][0] == then
    assert {usage.window.partition("@")[2] for usage in CapUsage.objects.all()} == {
        str(run.principal_id) for run in Run.objects.all()
    }
    end_user_terms(actor=company.cast.alice, terms=kept)
    run = company.start(subject="one")
    assert drive(desk, run, proposes((tool, ORDER)), says("Well."))[0][0] == "succeeded"


def test_terms_that_change_behind_the_assessment_are_heeded(desk: Desk, company: Company) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    denied = Terms("DENY")
    taken = meanwhile(
        lambda: set_user_terms(
            actor=company.cast.alice, tool=company.versions[1].tool, principal=None, terms=denied
        )
    )
    company.world.mishaps.append(taken)
    told = drive(desk, company.start(), proposes(("refund", ORDER), ("cancel", ORDER)), says("Well."))
    assert told == [("succeeded", "ok"), ("refused", "denied_by_user")]


# --- how one starts ---------------------------------------------------------------------------------------


def of_another_user(desk: Desk) -> dict[str, Any]:
    return {"subject": "somebody else", "parent": desk.company.start()}


def of_one_that_has_ended(desk: Desk) -> dict[str, Any]:
    parent = desk.company.start()
    end_parent(desk, parent)
    return {"parent": parent}


def of_its_own_agent(desk: Desk) -> dict[str, Any]:
    agent = desk.hire()
    parent = desk.start(agent, parent=desk.company.start())
    return {"agent": desk.company.cast.agent, "parent": parent}


def of_three_in_line(desk: Desk) -> dict[str, Any]:
    parent = desk.company.start()
    for _ in range(2):
        parent = desk.start(desk.hire(), parent=parent)
    return {"parent": parent}


def of_another_applications_run(desk: Desk) -> dict[str, Any]:
    parent = desk.company.start()
    Run.objects.filter(pk=parent.pk).update(application=None)
    return {"parent": parent}


def of_another_team(desk: Desk) -> dict[str, Any]:
    agent = AgentFactory.create()
    version = AgentVersionFactory.create(identity=agent, published=True)
    parent = RunFactory.create(
        identity=agent, agent_version=version, team=agent.team, application=desk.company.cast.application
    )
    return {"parent": parent}


def limited_to(**limits: Any) -> Any:
    return lambda desk: {"limits": limits}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (of_another_user, "another_principal"),
        (of_one_that_has_ended, "parent_ended"),
        (of_its_own_agent, "delegation_cycle"),
        (of_three_in_line, "delegation_too_deep"),
        (of_another_applications_run, "not_visible"),
        (of_another_team, "another_team"),
        (limited_to(unknown={}), "invalid_limits"),
        (limited_to(refund=7), "invalid_limits"),
        (limited_to(refund={"more": 1}), "invalid_limits"),
        (limited_to(refund={"caps": "none"}), "invalid_limits"),
        (limited_to(refund={"caps": [{"per": "day", "count": 1}]}), "invalid_limits"),
        (limited_to(refund={"caps": [{"per": "run", "count": 0}]}), "invalid_limits"),
        (limited_to(refund={"decision": "ALLOW", "caps": [{"per": "run", "count": 1}]}), "invalid_limits"),
        (limited_to(refund={"decision": "PERHAPS"}), "invalid_limits"),
    ],
)
def test_no_run_starts_within_bounds_that_do_not_hold(desk: Desk, tool: str, asked: Any, code: str) -> None:
    wanted = {"agent": desk.hire(), **asked(desk)}
    before = Run.objects.count()
    with pytest.raises(AgentOpsError) as refusal:
        desk.start(**wanted)
    assert refusal.value.code == code
    assert Run.objects.count() == before


def test_a_child_lasts_no_longer_than_its_parent(desk: Desk, tool: str) -> None:
    parent = desk.company.start()
    Run.objects.filter(pk=parent.pk).update(expires_at=timezone.now() + timedelta(seconds=30))
    parent.refresh_from_db()
    assert desk.start(desk.hire(), parent=parent).expires_at == parent.expires_at


@pytest.mark.parametrize(
    "change",
    [{"limits": None}, {"line": []}, {"parent": None}, {"proof": "token"}],
    ids=lambda change: str(change),
)
def test_what_a_run_was_started_within_does_not_change(desk: Desk, tool: str, change: dict[str, Any]) -> None:
    child = desk.start(desk.hire(), parent=desk.company.start(), limits={})
    with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
        Run.objects.filter(pk=child.pk).update(**change)


def test_terms_of_end_users_are_not_edited(desk: Desk, tool: str) -> None:
    kept = set_user_terms(
        actor=desk.company.cast.alice, tool=desk.company.versions[0].tool, principal=None, terms=Terms("DENY")
    )
    rows = UserTerms.objects.filter(pk=kept.pk)
    for attempt in (partial(rows.update, decision="ALLOW"), rows.delete):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()


# --- admission --------------------------------------------------------------------------------------------


def test_a_child_is_let_in_with_its_parent(desk: Desk, company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.publish()
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=1)
    child_agent = desk.hire(grants={"refund": {"decision": "REQUIRE_APPROVAL"}})
    parent = company.start()
    assert (parent.needs_review, desk.start(child_agent, parent=parent).needs_review) == (True, False)
