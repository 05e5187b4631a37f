"""Campaigns: what people decide takes effect, what nobody decides is taken away, once and whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from runs import campaigns
from runs.campaigns import close_due_campaigns, decide_item, open_campaign
from runs.models import Campaign, CampaignItem
from tests.api.conftest import Callers, callers, keys
from tests.cast import Cast, join, let_govern
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import PersonFactory
from tests.ledger import kinds_of, last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tools.models import ToolGrant
from tools.services import Terms, set_grant

__all__ = ["callers", "keys"]  # of the API

SOON = timedelta(days=7)
SMALL = Terms("ALLOW_WITH_CAPS", ({"per": "day", "count": 1},))


@pytest.fixture
def reviewer(company: Company) -> User:
    """Bob may change grants too, granted none, and owns no agent."""
    let_govern(company.cast.bob)
    return company.cast.bob


def granted(company: Company, *names: str) -> list[ToolGrant]:
    found = []
    for name in names:
        version = company.add_tool(name, grant=None, function="refund")
        cast = company.cast
        found.append(set_grant(actor=cast.ada, identity=cast.agent, tool=version.tool, terms=Terms("ALLOW")))
    return found


def opened(company: Company, reviewer: User, **changes: Any) -> Campaign:
    fields = {"title": "Autumn", "due_at": timezone.now() + SOON, "reviewers": [reviewer]}
    return open_campaign(actor=company.cast.alice, team=company.cast.team, **{**fields, **changes})


def decide(actor: User, campaign: Campaign, decision: str, **changes: Any) -> CampaignItem:
    item = campaign.items.select_related("grant").order_by("grant__tool__name").first()
    assert item is not None
    fields = {"decision": decision, "reason": "Looked at it.", "seen": item.grant.version, **changes}
    return decide_item(actor=actor, item=item, **fields)


def overdue(campaign: Campaign) -> Campaign:
    Campaign.objects.filter(pk=campaign.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    return campaign


def states(company: Company) -> dict[str, str]:
    """Return how the latest version of each grant stands."""
    rows = ToolGrant.objects.filter(identity=company.cast.agent).order_by("version")
    return {grant.tool.name: f"{grant.decision} {grant.state}" for grant in rows.select_related("tool")}


@pytest.mark.parametrize(
    ("decision", "terms", "stands"),
    [
        ("kept", None, "ALLOW active"),
        ("revoked", None, "ALLOW revoked"),
        ("shrunk", SMALL, "ALLOW_WITH_CAPS active"),
    ],
)
def test_a_decision_takes_effect_at_once(
    company: Company, reviewer: User, decision: str, terms: Terms | None, stands: str
) -> None:
    granted(company, "a")
    campaign = opened(company, reviewer)
    item = decide(reviewer, campaign, decision, terms=terms)
    assert (item.decision, item.decided_by, states(company)) == (decision, reviewer, {"a": stands})
    entry = last_entry(campaign.pk)
    assert (entry.kind, entry.facts["became"], entry.content) == (
        "campaign.decided", decision, {"reason": "Looked at it."},
    )  # fmt: skip
    with pytest.raises(PolicyDenied, match="already"):
        decide(reviewer, campaign, "kept")


def test_what_nobody_decides_is_taken_away_once(company: Company, reviewer: User) -> None:
    grants = granted(company, "a", "b", "c")
    campaign = opened(company, reviewer)
    decide(reviewer, campaign, "kept")
    ToolGrant.objects.filter(pk=grants[2].pk).update(state="revoked")
    assert close_due_campaigns(now=timezone.now()) == 0
    overdue(campaign)
    assert [close_due_campaigns(now=timezone.now()) for _ in range(2)] == [1, 0]
    assert states(company) == {"a": "ALLOW active", "b": "ALLOW revoked", "c": "ALLOW revoked"}
    account = User.objects.get(pk=company.cast.agent.service_account_id)
    assert not account.has_perm("tools.use_tool", grants[1].tool)
    taken = last_entry(company.cast.agent.pk)
    assert (taken.kind, taken.actor) == ("grant.revoked", None)
    assert "“Autumn”" in str(taken.content)
    receipt = last_entry(campaign.pk)
    assert (receipt.kind, receipt.facts["became"]) == (
        "campaign.closed",
        {"expired": 1, "gone": 1, "kept": 1},
    )


def test_a_grant_that_was_written_anew_runs_out_too(company: Company, reviewer: User) -> None:
    grant = granted(company, "a")[0]
    campaign = opened(company, reviewer)
    set_grant(actor=company.cast.ada, identity=grant.identity, tool=grant.tool, terms=SMALL)
    overdue(campaign)
    close_due_campaigns(now=timezone.now())
    assert states(company) == {"a": "ALLOW_WITH_CAPS revoked"}


def test_who_is_killed_in_the_middle_loses_nothing(
    company: Company, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted(company, "a", "b", "c")
    campaign = overdue(opened(company, reviewer))
    real, done = campaigns._settle, []

    def die_at_the_second(item: CampaignItem, *rest: Any) -> None:
        done.append(item)
        if len(done) == 2:
            raise SystemExit
        real(item, *rest)

    monkeypatch.setattr(campaigns, "_settle", die_at_the_second)
    with pytest.raises(SystemExit):
        close_due_campaigns(now=timezone.now())
    campaign.refresh_from_db()
    assert (campaign.state, sorted(states(company).values())) == (
        "open",
        ["ALLOW active"] * 2 + ["ALLOW revoked"],
    )
    monkeypatch.undo()
    assert close_due_campaigns(now=timezone.now()) == 1
    assert set(states(company).values()) == {"ALLOW revoked"}
    kinds = kinds_of(campaign.pk)
    assert (kinds.count("campaign.grant_expired"), kinds.count("campaign.closed")) == (3, 1)


def test_only_what_is_unused_can_be_asked_about(company: Company, reviewer: User) -> None:
    company.add_tool("refund")
    company.run(proposes(("refund", ORDER)), says("Done."))
    with pytest.raises(ValidationFailed, match="no such grants"):
        opened(company, reviewer, unused_days=30)
    company.add_tool("cancel")
    campaign = opened(company, reviewer, unused_days=30)
    assert [item.grant.tool.name for item in campaign.items.all()] == ["cancel"]


def owner(cast: Cast) -> User:
    return cast.alice


def granter(cast: Cast) -> User:
    return cast.ada


def not_appointed(cast: Cast) -> User:
    other = PersonFactory.create(username="colleague")
    let_govern(other)
    join([(cast.team, other)])
    return other


def has_left_the_team(cast: Cast) -> User:
    cast.team.members.remove(cast.bob)
    return cast.bob


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (owner, "owns the agent"),
        (granter, "granted it"),
        (not_appointed, "not a reviewer"),
        (has_left_the_team, "not a member"),
    ],
)
@pytest.mark.parametrize("decision", ["kept", "revoked"])
def test_others_decide_nothing(
    company: Company, reviewer: User, who: Callable[[Cast], User], why: str, decision: str
) -> None:
    granted(company, "a")
    campaign = opened(company, reviewer, reviewers=[reviewer, company.cast.alice, company.cast.ada])
    with pytest.raises(PolicyDenied, match=why):
        decide(who(company.cast), campaign, decision)
    assert states(company) == {"a": "ALLOW active"}


LOOSE = Terms("ALLOW_WITH_CAPS", ({"per": "day", "count": 9},))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"reason": " "}, ValidationFailed),
        ({"seen": 7}, StateConflict),
        ({"decision": "forgotten"}, ValidationFailed),
        ({"decision": "shrunk"}, ValidationFailed),
        ({"decision": "shrunk", "terms": LOOSE}, ValidationFailed),
        ({"decision": "shrunk", "terms": Terms("ALLOW")}, ValidationFailed),
        (
            {"decision": "shrunk", "terms": Terms("ALLOW_WITH_CAPS", SMALL.caps, "REQUIRE_APPROVAL")},
            ValidationFailed,
        ),
        ({"decision": "shrunk", "terms": SMALL}, ValidationFailed),  # the same
    ],
)
def test_what_is_no_decision_changes_nothing(
    company: Company, reviewer: User, changes: dict[str, Any], error: type[AgentOpsError]
) -> None:
    version = company.add_tool("a", grant=None, function="refund")
    cast = company.cast
    set_grant(actor=cast.ada, identity=cast.agent, tool=version.tool, terms=SMALL)
    campaign = opened(company, reviewer)
    with pytest.raises(error):
        decide(reviewer, campaign, **{"decision": "kept", **changes})
    assert states(company) == {"a": "ALLOW_WITH_CAPS active"}


def test_nobody_decides_once_it_is_due(company: Company, reviewer: User) -> None:
    granted(company, "a")
    campaign = overdue(opened(company, reviewer))
    with pytest.raises(PolicyDenied, match="over"):
        decide(reviewer, campaign, "kept")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"due_at": timezone.now() - SOON}, ValidationFailed),
        ({"due_at": timezone.now() + 20 * SOON}, ValidationFailed),
        ({"reviewers": []}, ValidationFailed),
        ({"title": ""}, ValidationFailed),
    ],
)
def test_what_cannot_be_opened(
    company: Company, reviewer: User, changes: dict[str, Any], error: type[AgentOpsError]
) -> None:
    granted(company, "a")
    with pytest.raises(error):
        opened(company, reviewer, **changes)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("name", ["alice", "ada", "charlie", "fiona"])
def test_every_grant_has_somebody_who_may_judge_it(company: Company, reviewer: User, name: str) -> None:
    granted(company, "a")
    with pytest.raises(ValidationFailed):
        opened(company, reviewer, reviewers=[getattr(company.cast, name)])


@pytest.mark.parametrize("name", ["charlie", "fiona"])
def test_an_outsider_opens_none(company: Company, reviewer: User, name: str) -> None:
    granted(company, "a")
    with pytest.raises(PolicyDenied):
        open_campaign(
            actor=getattr(company.cast, name), team=company.cast.team, title="t",
            due_at=timezone.now() + SOON, reviewers=[reviewer],
        )  # fmt: skip


def test_the_pages_walk_a_reviewer_through(company: Company, reviewer: User) -> None:
    company.add_tool("refund")
    company.run(proposes(("refund", {"order_id": "A-1"}), ("refund", {"order_id": "A-2"})), says("Done."))
    chief = sign_in(company.cast.alice)
    day = f"{timezone.now() + SOON:%Y-%m-%d}"
    form = {"title": "Autumn", "team": company.cast.team.pk, "due_at": day, "reviewers": [reviewer.pk]}
    opened_page = chief.post(page_of("runs_campaign", "add"), form, follow=True)
    assert "Opened, with 1 grants." in text_of(opened_page)
    client, item = sign_in(reviewer), CampaignItem.objects.get()
    page = reverse("admin:runs_campaign_item", args=[item.pk])
    assert "Of the 2 calls of the last 30 days, 2 would have been denied" in text_of(client.get(page))
    terms = {
        "decision": "ALLOW_WITH_CAPS",
        "over_caps": "DENY",
        "approval_ttl_s": 600,
        "run_count": 1,
        "seen": 1,
    }
    assert "1 call would have been denied" in text_of(client.post(page, {**terms, "preview": 1}))
    item.refresh_from_db()
    assert item.decision == ""
    refused = client.post(
        page, {**terms, "decision": "ALLOW", "run_count": "", "verdict": "shrunk", "reason": "r"}
    )
    assert (refused.status_code, "keep the grant" in text_of(refused)) == (422, True)
    done = text_of(
        client.post(page, {**terms, "verdict": "shrunk", "reason": "Once is enough."}, follow=True)
    )
    assert "shrunk by bob, just now : Once is enough." in done
    assert states(company) == {"refund": "ALLOW_WITH_CAPS active"}
    assert "You cannot decide about this: it has been decided already." in text_of(chief.get(page))


def test_an_outsider_sees_no_campaign(company: Company, reviewer: User, callers: Callers) -> None:
    granted(company, "a")
    campaign = opened(company, reviewer)
    item = reverse("admin:runs_campaign_item", args=[campaign.items.get().pk])
    for page in (page_of("runs_campaign", "change", campaign.pk), item):
        assert sign_in(company.cast.charlie).get(page).status_code == 302
    shown = callers.bob.get(f"/campaigns/{campaign.pk}").body
    assert [(each["tool"], each["decision"]) for each in shown["items"]] == [("a", "")]
    assert [each["id"] for each in callers.bob.get("/campaigns?state=open").body["data"]] == [
        str(campaign.pk)
    ]
    assert callers.charlie.get(f"/campaigns/{campaign.pk}").code == "unknown_campaign"
    assert callers.app.get("/campaigns").body["data"] == []
