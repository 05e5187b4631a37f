"""The inbox: what a person is shown, and that a decision made there is the service's decision and no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.ledger.store import erase_contents
from approvals.admin import pages
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.models import User
from runs.models import Run
from tests.approvals.test_final_requests import make_parent
from tests.cast import Cast
from tests.console.visits import Page, count_queries, page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory, ToolVersionFactory
from tests.factories.identities import current_code
from tests.ledger import last_entry
from tests.runs.company import Company, proposes

pytestmark = [pytest.mark.console, pytest.mark.slow]

MODEL = "approvals_approvalrequest"
INBOX = f"admin:{MODEL}_changelist"
HTMX = {"HX-Request": "true"}


def form_of(request: ApprovalRequest, **changes: Any) -> dict[str, Any]:
    return {"verdict": "approve", "reason": "Seen the photo.", "digest": request.digest, **changes}


def decide(client: Client, request: ApprovalRequest, *, htmx: bool = True, **changes: Any) -> Page:
    path = page_of(MODEL, "decision", request.pk)
    return client.post(path, form_of(request, **changes), headers=HTMX if htmx else {})


def show(client: Client, request: ApprovalRequest) -> Page:
    return client.get(page_of(MODEL, "change", request.pk))


def state_of(request: ApprovalRequest) -> str:
    return ApprovalRequest.objects.get(pk=request.pk).state


class TestWhatIsShown:
    def test_the_statement_says_who_wants_what_for_whom_and_why(
        self, cast: Cast, waiting: ApprovalRequest
    ) -> None:
        page = text_of(show(sign_in(cast.fiona), waiting))
        assert "Refunds-Agent wants to refund order “A-1” ." in page
        assert "On behalf of customer-1" in page
        assert "The user’s own words Please refund my order." in page
        assert "Why, in the model’s words; nobody has checked them The order arrived broken." in page
        assert "look up read in step 1 of this run" in page
        assert "cannot be undone" in page
        assert "refund does not run, and Refunds-Agent is told so" in page

    @pytest.mark.parametrize(
        "arguments",
        [
            {"order_ids": ["A"] * 40 + ["B"] * 9 + ["last-one"]},
            {f"field {n}": f"last-{n}" for n in range(60)},
        ],
    )
    def test_what_is_signed_is_shown_whole(
        self, cast: Cast, waiting: ApprovalRequest, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
    ) -> None:
        monkeypatch.setattr(pages, "read_evidence", lambda _: {"arguments": arguments})
        page = show(sign_in(cast.fiona), waiting).content.decode()
        assert "last-one" in page or "last-59" in page
        assert "more</" not in page

    def test_the_inbox_opens_with_the_request_that_waited_longest(
        self, cast: Cast, waiting: ApprovalRequest
    ) -> None:
        later = ApprovalRequestFactory.create(identity=cast.agent, principal=waiting.principal)
        page = sign_in(cast.fiona).get(reverse(INBOX)).content.decode()
        assert page.index(str(waiting.pk)) < page.index(str(later.pk))
        assert f'id="request" class="request" data-request="{waiting.pk}"' in page

    def test_htmx_gets_the_request_without_the_page_around_it(
        self, cast: Cast, waiting: ApprovalRequest
    ) -> None:
        headers = {**HTMX, "HX-Target": "request"}
        response = sign_in(cast.fiona).get(page_of(MODEL, "change", waiting.pk), headers=headers)
        assert response.content.decode().startswith("<article")

    def test_htmx_gets_the_list_alone(self, cast: Cast, waiting: ApprovalRequest) -> None:
        response = sign_in(cast.fiona).get(reverse(INBOX), headers={**HTMX, "HX-Target": "queue"})
        assert response.content.decode().startswith('<div id="queue"')

    def test_the_run_behind_it_is_told_in_its_last_lines(
        self, cast: Cast, waiting: ApprovalRequest, run: Run
    ) -> None:
        page = show(sign_in(cast.fiona), waiting)
        assert page_of("runs_run", "change", run.pk) in page.content.decode()
        assert "refund: waits for a person's decision" in text_of(page)

    @pytest.mark.parametrize("is_in_the_inbox", [True, False])
    def test_who_gave_the_task_is_named_the_nearest_first(
        self, cast: Cast, waiting: ApprovalRequest, is_in_the_inbox: bool
    ) -> None:
        """Also of the request that the inbox opens by itself: the one that waits longest."""
        with transaction.atomic():
            asked = ApprovalRequestFactory.create(
                identity=cast.agent, tool_version=waiting.tool_version, principal=waiting.principal,
                created_at=waiting.created_at - timedelta(minutes=1),
            )  # fmt: skip
            far, near = make_parent(asked, place=1).identity, make_parent(asked, place=0).identity
        client = sign_in(cast.fiona)
        page = text_of(client.get(reverse(INBOX)) if is_in_the_inbox else show(client, asked))
        assert f"It was given this task by {near.name} , who acts for {far.name} ." in page

    def test_erased_words_are_missed_in_words(self, cast: Cast, waiting: ApprovalRequest) -> None:
        with connection.cursor() as cursor:
            erase_contents(cursor, waiting.pk)
        page = text_of(show(sign_in(cast.fiona), waiting))
        assert "were erased" in page
        assert "Please refund my order" not in page

    def test_an_empty_inbox_says_so(self, cast: Cast) -> None:
        assert "Nothing waits for a decision." in text_of(sign_in(cast.fiona).get(reverse(INBOX)))

    @pytest.mark.parametrize(
        "narrow", ["agent=no-such-agent", "tool=no_such_tool", "tab=decided", "tab=nonsense"]
    )
    def test_the_list_can_be_narrowed(self, cast: Cast, waiting: ApprovalRequest, narrow: str) -> None:
        page = sign_in(cast.fiona).get(f"{reverse(INBOX)}?{narrow}").content.decode()
        assert (f'data-request="{waiting.pk}"' in page) is (narrow == "tab=nonsense")


class TestDeciding:
    def test_approving_lets_the_one_call_go_out(
        self, company: Company, waiting: ApprovalRequest, run: Run
    ) -> None:
        response = decide(sign_in(company.cast.fiona), waiting)
        assert (response.status_code, response["HX-Retarget"]) == (200, "#request")
        assert "You approved this" in text_of(response)
        assert company.drive(run).state == "completed"
        assert company.world.effects == [waiting.key]
        page = text_of(show(sign_in(company.cast.fiona), waiting))
        assert "fiona approved this" in page
        assert "Reason given Seen the photo." in page
        assert "The call: succeeded" in page
        told = text_of(sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk)))
        assert "refund: approved by a person by fiona" in told

    def test_the_decision_names_person_channel_and_digest(self, cast: Cast, waiting: ApprovalRequest) -> None:
        decide(sign_in(cast.fiona), waiting)
        decision = ApprovalDecision.objects.get()
        assert (decision.decided_by, decision.channel, decision.digest) == (
            cast.fiona,
            "console",
            waiting.digest,
        )
        entry = last_entry(waiting.pk)
        assert (entry.kind, entry.actor, entry.content) == (
            "approval.decided", cast.fiona.pk, {"reason": "Seen the photo."},
        )  # fmt: skip

    def test_without_javascript_the_outcome_is_on_the_same_page(
        self, cast: Cast, waiting: ApprovalRequest
    ) -> None:
        client = sign_in(cast.fiona)
        response = decide(client, waiting, htmx=False, verdict="deny", reason="Not broken.")
        assert response["Location"] == page_of(MODEL, "change", waiting.pk)
        assert "fiona denied this" in text_of(client.get(response["Location"]))

    def test_denying_needs_a_reason(self, cast: Cast, waiting: ApprovalRequest) -> None:
        response = decide(sign_in(cast.fiona), waiting, verdict="deny", reason="  ")
        assert response.status_code == 422
        assert "Say why you deny" in text_of(response)
        assert state_of(waiting) == "waiting"

    def test_a_stale_form_is_answered_with_what_to_do_next(
        self, cast: Cast, waiting: ApprovalRequest
    ) -> None:
        response = decide(sign_in(cast.fiona), waiting, digest="0" * 64)
        assert response.status_code == 409
        assert "The call has changed since you loaded it" in text_of(response)
        assert "Look at it again , then decide." in text_of(response)
        assert state_of(waiting) == "waiting"

    def test_a_second_decision_tells_what_counts(self, cast: Cast, waiting: ApprovalRequest) -> None:
        decide(sign_in(cast.fiona), waiting, verdict="deny", reason="First.")
        response = decide(sign_in(cast.fiona), waiting)
        assert response.status_code == 409
        assert "Your decision was not recorded" in text_of(response)
        assert "fiona denied this" in text_of(response)
        assert state_of(waiting) == "denied"

    def test_after_its_time_nothing_is_decided(self, cast: Cast, waiting: ApprovalRequest) -> None:
        with time_machine.travel(waiting.expires_at, tick=False):
            response = decide(sign_in(cast.fiona), waiting)
        assert (response.status_code, state_of(waiting)) == (409, "waiting")
        assert "Nobody answered in time" in text_of(response)

    @pytest.mark.parametrize("verdict", ["", "yes", "approved"])
    def test_a_verdict_that_is_none_is_refused(
        self, cast: Cast, waiting: ApprovalRequest, verdict: str
    ) -> None:
        assert decide(sign_in(cast.fiona), waiting, verdict=verdict).status_code == 422
        assert state_of(waiting) == "waiting"

    def test_an_open_page_learns_of_a_colleagues_decision(self, cast: Cast, waiting: ApprovalRequest) -> None:
        client, path = sign_in(cast.bob), page_of(MODEL, "decision", waiting.pk)
        assert client.get(path, headers=HTMX).status_code == 204
        decide(sign_in(cast.fiona), waiting)
        response = client.get(path, headers=HTMX)
        assert (response.status_code, response["HX-Retarget"]) == (200, "#request")
        assert "fiona approved this" in text_of(response)


class TestSecondFactor:
    def test_a_stale_factor_asks_for_a_code_in_place(self, cast: Cast, waiting: ApprovalRequest) -> None:
        client = sign_in(cast.fiona, seconds_ago=61)
        assert 'name="code"' in show(client, waiting).content.decode()
        response = decide(client, waiting, reason="Seen it.")
        assert (response.status_code, state_of(waiting)) == (403, "waiting")
        assert "second factor" in text_of(response)
        assert "Seen it." in text_of(response)

    def test_a_fresh_factor_does_not(self, cast: Cast, waiting: ApprovalRequest) -> None:
        assert 'name="code"' not in show(sign_in(cast.fiona), waiting).content.decode()

    def test_the_right_code_decides(self, cast: Cast, waiting: ApprovalRequest) -> None:
        client = sign_in(cast.fiona, seconds_ago=61)
        code = current_code(TOTPDevice.objects.get(user=cast.fiona))
        assert decide(client, waiting, code=code).status_code == 200
        assert state_of(waiting) == "approved"

    def test_a_wrong_code_decides_nothing(self, cast: Cast, waiting: ApprovalRequest) -> None:
        response = decide(sign_in(cast.fiona, seconds_ago=61), waiting, code="000000")
        assert (response.status_code, state_of(waiting)) == (403, "waiting")
        assert "That code is not right" in text_of(response)


class TestWhoMayDecide:
    @pytest.mark.parametrize("name", ["ada", "alice", "bob"])
    def test_neither_rank_nor_ownership_nor_membership_is_enough(
        self, company: Company, waiting: ApprovalRequest, name: str
    ) -> None:
        person: User = getattr(company.cast, name)
        if name == "alice":
            company.let_decide(waiting.tool, person)
        client = sign_in(person)
        assert "You cannot decide this one" in text_of(show(client, waiting))
        assert 'data-verdict="approve"' not in show(client, waiting).content.decode()
        assert decide(client, waiting).status_code == 403
        assert state_of(waiting) == "waiting"

    def test_an_outsider_does_not_even_see_it(self, cast: Cast, waiting: ApprovalRequest) -> None:
        client = sign_in(cast.charlie)
        for response in (show(client, waiting), decide(client, waiting)):
            assert (response.status_code, response["Location"]) == (302, "/admin/")
        assert str(waiting.pk) not in client.get(reverse(INBOX)).content.decode()
        assert state_of(waiting) == "waiting"

    def test_a_form_from_another_site_is_refused(self, cast: Cast, waiting: ApprovalRequest) -> None:
        client = sign_in(cast.fiona)
        client.handler.enforce_csrf_checks = True
        assert decide(client, waiting).status_code == 403
        assert state_of(waiting) == "waiting"


def test_what_a_model_or_a_tool_wrote_stays_text(company: Company) -> None:
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    version = company.add_tool(
        "refund", effect="irreversible", grant="REQUIRE_APPROVAL", statement="refund {order_id}"
    )
    company.let_decide(version.tool)
    company.run(proposes(("refund", {"order_id": script}), text=script), message=script)
    page = show(sign_in(company.cast.fiona), ApprovalRequest.objects.get()).content.decode()
    assert page.count("&lt;script&gt;alert(1)") >= 4  # statement, request, why, arguments
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_the_inbox_costs_the_same_however_much_waits(cast: Cast, waiting: ApprovalRequest) -> None:
    client = sign_in(cast.fiona)
    one = count_queries(client, reverse(INBOX))
    for _ in range(15):
        version = ToolVersionFactory.create(tool__team=cast.team)
        ApprovalRequestFactory.create(identity=cast.agent, tool_version=version, principal=waiting.principal)
    assert count_queries(client, reverse(INBOX)) == one
