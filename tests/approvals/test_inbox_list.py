"""The list of the inbox: its filters, views that people keep, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.many import record_many
from approvals.admin.filters import read_filters
from approvals.models import ApprovalRequest, ApprovalStage, SavedView, StageGroup
from approvals.saved_views import MOST_VIEWS, drop_view, keep_view
from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in
from tests.factories import ApprovalRequestFactory, ToolVersionFactory
from tests.factories.permissions import let

pytestmark = [pytest.mark.django_db, pytest.mark.console, pytest.mark.slow]

INBOX = "admin:approvals_approvalrequest_changelist"
REASONS = {"doubtful": ["from_untrusted"]}
VIEWS = "admin:approvals_approvalrequest_views"


@pytest.fixture
def requests(cast: Cast) -> dict[str, ApprovalRequest]:
    """A small one that can be undone, a large one that cannot, an old one, a doubtful one."""
    version = ToolVersionFactory.create(tool__team=cast.team)
    let(cast.fiona, "approve_calls", version.tool)
    old = timezone.now() - timedelta(hours=2)
    fields: dict[str, dict[str, Any]] = {
        "small": {"amount": 20, "effect": "reversible"},
        "large": {"amount": 900},
        "old": {"created_at": old, "expires_at": timezone.now() + timedelta(hours=1)},
        "doubtful": {},
    }
    made = {
        name: ApprovalRequestFactory.create(
            identity=cast.agent, tool_version=version, currency="USD", **values
        )
        for name, values in fields.items()
    }
    drafts = {
        each.pk: Draft("approval.requested", each.created_at, {"reasons": REASONS.get(name, [])})
        for name, each in made.items()
    }
    with transaction.atomic():
        record_many("approval", drafts)
    return made


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("least=100", {"large"}),
        ("most=100", {"small"}),
        ("least=20&most=900", {"small", "large"}),
        ("effect=reversible", {"small"}),
        ("age=1h", {"old"}),
        ("doubt=yes", {"doubtful"}),
        ("doubt=no", {"small", "large", "old"}),
        ("doubt=yes&age=1d", set()),
        ("least=nonsense&most=NaN&age=7y&effect=x&doubt=maybe", {"small", "large", "old", "doubtful"}),
        ("least=1e999999&most=-Infinity", {"small", "large", "old", "doubtful"}),
    ],
)
def test_the_list_is_narrowed(
    cast: Cast, requests: dict[str, ApprovalRequest], query: str, names: set[str]
) -> None:
    page = sign_in(cast.fiona).get(f"{reverse(INBOX)}?{query}").content.decode()
    shown = {
        name for name, each in requests.items() if f'data-request="{each.pk}"' in page.split('id="pane"')[0]
    }
    assert shown == names


def test_what_is_doubtful_or_final_is_marked_in_words(
    cast: Cast, requests: dict[str, ApprovalRequest]
) -> None:
    page = sign_in(cast.fiona).get(f"{reverse(INBOX)}?doubt=yes").content.decode()
    assert 'tone-broken">doubtful<' in page
    assert "cannot be undone" in page


def test_only_ones_own_to_decide_can_be_ticked(cast: Cast, requests: dict[str, ApprovalRequest]) -> None:
    box = f'value="{requests["small"].pk}:{requests["small"].digest}"'
    assert box in sign_in(cast.fiona).get(reverse(INBOX)).content.decode()
    assert 'name="chosen"' not in sign_in(cast.bob).get(reverse(INBOX)).content.decode()


def test_a_view_says_again_what_it_was(cast: Cast) -> None:
    filters = read_filters({"tab": "decided", "agent": "a", "least": "1", "doubt": "no", "more": "x"})
    assert filters.query == "tab=decided&agent=a&doubt=no&least=1"


# --- views that people keep ---------------------------------------------------------------------------------


def test_a_view_is_kept_shown_first_and_forgotten(cast: Cast, requests: dict[str, ApprovalRequest]) -> None:
    client = sign_in(cast.fiona)
    form = {"name": "Large ones", "query": "least=100&tab=waiting&evil=1", "is_default": "1"}
    kept = client.post(reverse(VIEWS), {**form, "act": "keep"})
    assert kept["Location"] == f"{reverse(INBOX)}?tab=waiting&least=100"
    assert client.get(reverse(INBOX))["Location"] == kept["Location"]
    page = client.get(kept["Location"]).content.decode()
    assert "Large ones" in page
    assert str(requests["small"].pk) not in page
    assert client.get(f"{reverse(INBOX)}?tab=waiting").status_code == 200, "the tab shows everything"
    client.post(reverse(VIEWS), {"act": "drop", "name": "Large ones", "query": "least=100"})
    assert not SavedView.objects.exists()
    assert client.get(reverse(INBOX)).status_code == 200


def test_views_are_ones_own(cast: Cast, requests: dict[str, ApprovalRequest]) -> None:
    keep_view(actor=cast.fiona, name="Mine", query="least=100", is_default=True)
    bob = sign_in(cast.bob)
    assert "Mine" not in bob.get(reverse(INBOX)).content.decode()
    bob.post(reverse(VIEWS), {"act": "drop", "name": "Mine"})
    assert SavedView.objects.get().person == cast.fiona
    assert bob.get(reverse(VIEWS)).status_code == 405


def test_one_view_is_the_first_and_a_name_is_used_once(cast: Cast) -> None:
    keep_view(actor=cast.fiona, name="One", query="least=1", is_default=True)
    keep_view(actor=cast.fiona, name="Two", query="least=2", is_default=True)
    keep_view(actor=cast.fiona, name="One", query="least=3", is_default=False)
    assert list(SavedView.objects.values_list("name", "query", "is_default")) == [
        ("One", "least=3", False), ("Two", "least=2", True),
    ]  # fmt: skip
    assert drop_view(actor=cast.fiona, name="One")
    assert not drop_view(actor=cast.fiona, name="One")


def test_views_have_bounds(cast: Cast) -> None:
    for number in range(MOST_VIEWS):
        keep_view(actor=cast.fiona, name=f"View {number}", query="", is_default=False)
    with pytest.raises(StateConflict, match="too_many_views"):
        keep_view(actor=cast.fiona, name="One more", query="", is_default=False)
    for name in ("", " ", "\u200b", "x" * 41):
        with pytest.raises(ValidationFailed, match="bad_name"):
            keep_view(actor=cast.fiona, name=name, query="", is_default=False)
    with pytest.raises(ValidationFailed, match="bad_query"):
        keep_view(actor=cast.fiona, name="View 1", query="x" * 401, is_default=False)
    with pytest.raises(PolicyDenied):
        keep_view(actor=cast.application.service_account, name="Mine", query="", is_default=False)


def test_what_somebody_calls_a_view_stays_text(cast: Cast) -> None:
    keep_view(actor=cast.fiona, name="<script>alert(1)</script>", query="least=1", is_default=False)
    page = sign_in(cast.fiona).get(f"{reverse(INBOX)}?least=1").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


# --- what it costs ------------------------------------------------------------------------------------------

MANY = 10_000
MOST_QUERIES = 30


def test_ten_thousand_that_wait_cost_no_more_queries(cast: Cast) -> None:
    """Page and live list, with and without filters: the number of statements is bounded."""
    first = ApprovalRequestFactory.create(identity=cast.agent, tool_version__tool__team=cast.team)
    let(cast.fiona, "approve_calls", first.tool)
    now = timezone.now()
    rows = [
        ApprovalRequest(
            team_id=first.team_id, tool_id=first.tool_id, tool_version_id=first.tool_version_id,
            identity_id=first.identity_id, principal_id=first.principal_id, subject_ref=str(number),
            wake_task="runs.drive", key=f"key-{number}", digest="0" * 64, effect="reversible", created_at=now,
            expires_at=now + timedelta(hours=1), stage_at=now,
        )
        for number in range(MANY)
    ]  # fmt: skip
    ApprovalRequest.objects.bulk_create(rows)
    ApprovalStage.objects.bulk_create(
        ApprovalStage(request=each, place=1, needed=1, ladder=[[0, None]]) for each in rows
    )
    StageGroup.objects.bulk_create(StageGroup(request=each, place=1, opened_at=now) for each in rows)
    client = sign_in(cast.fiona)
    one = page_of("approvals_approvalrequest", "change", rows[0].pk)
    for path in (reverse(INBOX), f"{reverse(INBOX)}?doubt=no&least=0&age=5m", one):
        assert count_queries(client, path) <= MOST_QUERIES, path
