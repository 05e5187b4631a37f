"""Calls that the end user has to confirm, through the driver."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.confirmations.answering import answer_confirmation
from approvals.confirmations.asking import expire_confirmations
from approvals.models import ApprovalRequest, Confirmation
from approvals.services import read_evidence
from identities.models import Application, TokenIssuer, User
from identities.oauth.issuers import ProvenUser
from identities.services import revoke_application
from runs.erasure import erase_run
from runs.evidence import UNREAD_WORDS
from runs.models import Run, ToolCall
from runs.services import add_message, cancel_run, start_run
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tests.runs.deeds import lose_reply
from tools.models import ToolGrant, ToolVersion

REFUND = proposes(("refund", ORDER), text="The order is late.")


@pytest.fixture
def refund(company: Company) -> ToolVersion:
    return company.add_tool("refund", grant="ALLOW", grant_confirmation=True)


@pytest.fixture
def asking(company: Company, refund: ToolVersion) -> Run:
    """Return a run whose refund waits for its user."""
    run = company.run(REFUND, says("Done."))
    assert company.states(run) == [("confirming", "")]
    return run


def asked() -> Confirmation:
    return Confirmation.objects.get(state="waiting")


def app(company: Company) -> User:
    return company.cast.application.service_account


def believe_issuer(company: Company) -> ProvenUser:
    """Have the application's issuer be believed, and return whom a token of its would prove."""
    TokenIssuer.objects.create(
        team=company.cast.team, client=app(company), issuer=ISSUER, audience="shop", algorithms=["ES256"]
    )
    return ProvenUser(app(company).pk, ISSUER, SUBJECT)


def answer(company: Company, verdict: str = "confirm", **changes: Any) -> Confirmation:
    question = changes.pop("confirmation", None) or asked()
    given: dict[str, Any] = {"actor": app(company), "digest": question.digest, "named": (ISSUER, SUBJECT)}
    return answer_confirmation(**{**given, **changes}, confirmation=question, verdict=verdict)


def assert_refused(company: Company, run: Run, code: str) -> None:
    """Check that the run went on without the call, and that the planner was told why."""
    ended = company.drive(run)
    assert (ended.state, company.states(ended)) == ("completed", [("refused", code)])
    assert company.observations()[0]["error"] == code
    assert company.world.attempts == []


# --- asked, then made or not -------------------------------------------------------------------------------


def test_a_call_waits_for_its_user_and_nobody_else_is_asked(company: Company, asking: Run) -> None:
    question = asked()
    assert asking.state == "requires_action"
    assert asking.required_actions == [
        {"type": "confirmation", "id": str(question.pk), "step": 1, "call": 1,
         "expires_at": question.expires_at.isoformat()}
    ]  # fmt: skip
    assert company.world.attempts == []
    assert not ApprovalRequest.objects.exists()
    [told] = company.facts(asking, "confirmation.requested")
    assert "user_confirms" in {reason["code"] for reason in told["reasons"]}


def test_once_confirmed_it_goes_out_once(company: Company, asking: Run) -> None:
    answer(company)
    run = company.drive(asking)
    company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert len(company.world.effects) == 1
    given = Confirmation.objects.get()
    assert (given.state, given.proof, given.consumed_at is not None) == ("confirmed", "asserted", True)
    assert company.facts(run, "confirmation.given")[0]["proof"] == "asserted"


def test_a_verified_token_says_more_than_the_application(company: Company, asking: Run) -> None:
    proven = believe_issuer(company)
    Application.objects.filter(pk=company.cast.application.pk).update(may_assert_users=False)
    answer(company, proven=proven, named=None)
    run = company.drive(asking)
    assert company.states(run) == [("succeeded", "ok")]
    assert Confirmation.objects.get().proof == "token"


def test_refused_it_is_not_made_and_the_agent_is_told_in_the_users_words(
    company: Company, asking: Run
) -> None:
    answer(company, "refuse", reason="Not <b>my</b> order.")
    assert_refused(company, asking, "denied_by_user")
    assert company.observations()[0]["detail"] == "the user does not want this: Not <b>my</b> order."


def test_unanswered_it_expires_and_is_not_made(company: Company, asking: Run) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=601), tick=False):
        with pytest.raises(StateConflict, match="confirmation_expired"):
            answer(company)
        assert expire_confirmations(now=timezone.now()) == 1
    with pytest.raises(StateConflict, match="confirmation_expired"):
        answer(company, confirmation=Confirmation.objects.get())
    assert_refused(company, asking, "confirmation_expired")


def test_a_confirmation_that_is_not_used_in_time_covers_nothing(company: Company, asking: Run) -> None:
    answer(company)
    with time_machine.travel(timezone.now() + timedelta(seconds=601), tick=True):
        run = company.drive(asking)
    assert company.states(run)[0] == ("refused", "confirmation_expired")
    assert company.world.attempts == []


def test_a_retry_under_its_key_is_covered(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW", grant_confirmation=True, idempotency="honours_key")
    company.world.mishaps.append(lose_reply)
    run = company.run(REFUND, says("Done."))
    answer(company)
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]
    assert len(company.world.attempts) == 2
    assert len(company.world.effects) == 1


# --- and people --------------------------------------------------------------------------------------------


def test_where_people_approve_too_the_user_is_asked_first(company: Company) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_confirmation=True)
    company.let_decide(refund.tool)
    run = company.run(REFUND, says("Done."))
    assert company.states(run) == [("confirming", "")]
    assert not ApprovalRequest.objects.exists()
    answer(company)
    run = company.drive(run)
    assert company.states(run) == [("waiting", "")]
    request = ApprovalRequest.objects.get()
    assert request.digest == Confirmation.objects.get().digest
    shown = read_evidence(request)
    assert shown is not None
    assert shown["confirmed"]["proof"] == "asserted"
    assert company.world.attempts == []
    company.decide()
    run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]


def test_a_person_who_denies_is_not_overruled_by_the_user(company: Company) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_confirmation=True)
    company.let_decide(refund.tool)
    run = company.run(REFUND, says("Done."))
    answer(company)
    run = company.drive(run)
    company.decide("deny", "too much")
    assert_refused(company, run, "denied_by_human")


def test_the_users_refusal_spares_people_the_question(company: Company) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_confirmation=True)
    company.let_decide(refund.tool)
    run = company.run(REFUND, says("Done."))
    answer(company, "refuse")
    assert_refused(company, run, "denied_by_user")
    assert not ApprovalRequest.objects.exists()


# --- who may confirm ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["ada", "alice", "bob", "fiona", "agent"])
def test_neither_staff_nor_the_agent_confirms(company: Company, asking: Run, who: str) -> None:
    actor = company.cast.agent.service_account if who == "agent" else getattr(company.cast, who)
    with pytest.raises((PolicyDenied, NotFound)):
        answer(company, actor=actor)
    with pytest.raises((PolicyDenied, NotFound)):
        answer(company, actor=actor, proven=ProvenUser(actor.pk, ISSUER, SUBJECT), named=None)
    assert asked().state == "waiting"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"named": (ISSUER, "customer-2")}, "not_the_user"),
        ({"named": ("https://other.example", SUBJECT)}, "not_the_user"),
        ({"named": None}, "principal_not_proven"),
        ({"digest": "0" * 64}, "digest_changed"),
        ({"digest": ""}, "digest_changed"),
        ({"verdict": "approve"}, "bad_verdict"),
        ({"reason": "x" * 1_000_000}, "reason_too_long"),
    ],
    ids=str,
)
def test_what_is_not_surely_the_users_yes_changes_nothing(
    company: Company, asking: Run, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(AgentOpsError) as caught:
        answer(company, **{"verdict": "confirm", **changes})
    assert caught.value.code == code
    assert asked().state == "waiting"


def test_the_bare_word_of_an_application_that_is_not_trusted_is_nothing(
    company: Company, asking: Run
) -> None:
    Application.objects.filter(pk=company.cast.application.pk).update(may_assert_users=False)
    with pytest.raises(PolicyDenied, match="principal_not_proven"):
        answer(company)


@pytest.mark.parametrize(
    "changes",
    [{"subject": "customer-2"}, {"issuer": "https://other.example"}, {"client_id": None}],
    ids=str,
)
def test_a_token_of_somebody_else_or_for_somebody_else_is_nothing(
    company: Company, asking: Run, changes: dict[str, Any]
) -> None:
    of = {"client_id": app(company).pk, "issuer": ISSUER, "subject": SUBJECT, **changes}
    with pytest.raises(PolicyDenied, match="not_the_user"):
        answer(company, proven=ProvenUser(**of))


def test_twice_is_once(company: Company, asking: Run) -> None:
    question = asked()
    answer(company)
    for verdict in ("confirm", "refuse"):
        with pytest.raises(StateConflict, match="confirmation_answered"):
            answer(company, verdict, confirmation=question)


def test_without_an_application_nobody_can_confirm(company: Company, refund: ToolVersion) -> None:
    company.publish(principal_source="staff")
    company.play(REFUND, says("Done."))
    run = start_run(
        actor=company.cast.ada, agent=company.cast.agent, message="Refund.", issuer="agentops",
        subject="ada", application=None,
    )  # fmt: skip
    assert_refused(company, run, "nobody_to_confirm")


# --- void --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_confirmed", [False, True])
def test_what_the_user_wrote_since_voids_it(company: Company, asking: Run, has_confirmed: bool) -> None:
    if has_confirmed:
        answer(company)
    add_message(actor=app(company), run=asking, text="Wait!")
    assert Confirmation.objects.get().state == "voided"
    run = company.drive(asking)
    assert company.states(run)[0] == ("refused", "confirmation_voided")
    assert company.observations()[0]["detail"] == UNREAD_WORDS
    assert company.world.attempts == []


def test_other_terms_need_another_confirmation(company: Company, asking: Run, refund: ToolVersion) -> None:
    answer(company)
    company.grant(refund.tool, "ALLOW", confirmation=True, approval_ttl_s=599)
    assert_refused(company, asking, "confirmation_voided")


def test_a_term_that_is_added_while_a_call_is_held_counts(company: Company) -> None:
    held = company.add_tool("refund", grant="ALLOW", grant_veto_s=60)
    run = company.run(REFUND, says("Done."))
    company.grant(held.tool, "ALLOW", veto_s=60, confirmation=True)
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=True):
        run = company.drive(run)
        assert company.states(run) == [("confirming", "")]
        answer(company)
        run = company.drive(run)
    assert company.states(run)[0][0] in ("held", "succeeded")


def test_a_revoked_application_confirms_nothing(company: Company, asking: Run) -> None:
    question = asked()
    revoke_application(actor=company.cast.ada, application=company.cast.application)
    with pytest.raises((PolicyDenied, NotFound)):
        answer(company, confirmation=question, actor=User.objects.get(pk=app(company).pk))


def test_trust_that_is_taken_away_takes_its_confirmations_along(company: Company, asking: Run) -> None:
    answer(company)
    Application.objects.filter(pk=company.cast.application.pk).update(may_assert_users=False)
    assert_refused(company, asking, "confirmation_voided")


def test_an_issuer_that_is_believed_no_more_takes_them_along(company: Company, asking: Run) -> None:
    answer(company, proven=believe_issuer(company))
    TokenIssuer.objects.update(disabled_at=timezone.now())
    assert_refused(company, asking, "confirmation_voided")


def test_a_state_without_a_recorded_word_covers_nothing(company: Company, asking: Run) -> None:
    Confirmation.objects.update(state="confirmed", decided_at=timezone.now(), proof="asserted")
    ended = company.drive(asking)
    assert company.states(ended) == [("refused", "confirmation_not_recorded")]
    assert company.world.attempts == []
    company.is_mutant = True  # `verify` names what was written by hand


def test_the_runs_end_withdraws_it(company: Company, asking: Run) -> None:
    cancel_run(actor=app(company), run=asking)
    company.drive(asking)
    assert Confirmation.objects.get().state == "voided"


def test_erasing_a_run_erases_what_its_user_was_shown(company: Company, asking: Run) -> None:
    question = asked()
    answer(company, "refuse", reason="a secret of mine")
    run = company.drive(asking)
    erase_run(actor=company.cast.ada, run=run, reason="They asked.")
    assert not [entry.content for entry in company.entries(Run(pk=question.pk)) if entry.content]


def test_one_who_shall_not_is_not_asked_about_anything(company: Company, asking: Run) -> None:
    assert Confirmation.objects.visible_to(company.cast.charlie).count() == 0
    assert Confirmation.objects.visible_to(company.cast.alice).count() == 1
    assert Confirmation.objects.visible_to(company.cast.agent.service_account).count() == 0


def test_the_row_says_so(company: Company, asking: Run) -> None:
    [call] = ToolCall.objects.filter(run=asking)
    assert (call.state, call.effect) == ("confirming", "reversible")
    assert ToolGrant.objects.get(state="active").confirmation
    with pytest.raises(ValidationFailed):
        answer(company, "maybe")
