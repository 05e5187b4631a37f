"""Recertifying grants: a campaign is opened, each grant in it decided, and what nobody decides is taken away.

A decision takes effect with its commit. Each grant is a transaction of its own, so whoever closes a campaign may be
killed at any moment: the next one goes on where it was left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import check_fields
from agentops.text import is_blank
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, ChangeProposal, Team, User
from identities.policies import Decision, enforce, may_govern, require
from runs.grant_use import read_use
from runs.models import Campaign, CampaignItem
from runs.shrinking import check_smaller
from tools.models import ToolGrant
from tools.services import Terms, expire_grant, revoke_grant, set_grant
from tools.services.changes.grants import SET_GRANT
from tools.services.grants import PERMISSION

Became = CampaignItem.Decision
LONGEST = timedelta(days=90)


@transaction.atomic
def open_campaign(
    *,
    actor: User,
    team: Team,
    title: str,
    due_at: datetime,
    reviewers: Collection[User],
    unused_days: int | None = None,
) -> Campaign:
    """Put all grants of a team that permit something before reviewers, or only those unused for some days.

    Raises ValidationFailed where there is nothing to look at, and where nobody of the reviewers may decide about a
    grant: it could only run out.
    """
    require(actor, PERMISSION, team)
    _check_opening(team, due_at, reviewers)
    grants = _find_grants(team, unused_days)
    _check_reviewable(grants, reviewers)
    campaign = Campaign(team=team, title=title, due_at=due_at, unused_days=unused_days, opened_by=actor)
    check_fields(campaign)
    campaign.save(force_insert=True)
    campaign.reviewers.set(reviewers)
    CampaignItem.objects.bulk_create(CampaignItem(campaign=campaign, grant=grant) for grant in grants)
    facts = {"team": str(team.pk), "due_at": due_at.isoformat(), "unused_days": unused_days}
    named = {"grants": len(grants), "reviewers": sorted(str(person.pk) for person in reviewers)}
    _record(campaign, "campaign.opened", {**facts, **named}, actor)
    return campaign


@transaction.atomic
def decide_item(
    *,
    actor: User,
    item: CampaignItem,
    decision: str,
    reason: str,
    seen: int,
    terms: Terms | None = None,
) -> CampaignItem:
    """Keep a grant, revoke it, or shrink it to smaller ``terms``; ``seen`` is the version that was looked at.

    Raises PolicyDenied for who granted it and for the agent's owner, StateConflict once the campaign is due or when
    the grant is no longer what was seen, ValidationFailed without a reason or for terms that allow more.
    """
    locked = _lock(item)
    grant = present_grant(locked)
    enforce(may_review(actor, locked, grant))
    require_fresh_factor(actor)
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    if grant is None or grant.version != seen:
        raise StateConflict("grant_changed", "this grant has changed since you looked: look at it again")
    after = _carry_out(actor, grant, decision, reason, terms)
    _settle(locked, decision, actor, reason)
    facts = {"item": str(locked.pk), "grant": str(grant.pk), "became": decision, "version": after.version}
    _record(locked.campaign, "campaign.decided", facts, actor, reason)
    return locked


def close_due_campaigns(*, now: datetime) -> int:
    """Take away what nobody decided about in time, and close the campaigns; return how many were closed."""
    due = list(Campaign.objects.filter(state=Campaign.State.OPEN, due_at__lte=now).order_by("due_at"))
    for campaign in due:
        for item in campaign.items.filter(decision=""):
            _expire_item(item)
    return sum(_close(campaign) for campaign in due)


def may_review(actor: User, item: CampaignItem, grant: ToolGrant | None) -> Decision:
    """Decide who decides: an appointed reviewer who may grant, granted none of it, and does not own the agent."""
    if item.decision:
        return Decision(False, ("it has been decided already",))
    if timezone.now() >= item.campaign.due_at:
        return Decision(False, ("the campaign is over",))
    if not item.campaign.reviewers.filter(pk=actor.pk).exists():
        return Decision(False, ("not a reviewer of this campaign",))
    return may_judge(actor, grant or item.grant)


def may_judge(person: User, grant: ToolGrant) -> Decision:
    """Decide whether somebody may judge a grant at all."""
    if person.pk == grant.identity.owner_id:
        return Decision(False, ("owns the agent",))
    granters = (grant.created_by_id, grant.waived_by_id, grant.countersigned_by_id, *_last_signers(grant))
    if person.pk in granters:
        return Decision(False, ("granted it",))
    return may_govern(person, PERMISSION, grant.identity.team)


def _last_signers(grant: ToolGrant) -> Collection[UUID | None]:
    """Return both who let it allow more; a version that is tighter since names only who tightened it."""
    signed = ChangeProposal.objects.filter(
        verb=SET_GRANT, subject=f"{grant.identity_id}:{grant.tool_id}", state=ChangeProposal.State.ACTIVATED
    )
    return signed.order_by("-decided_at").values_list("maker", "checker").first() or ()


def present_grant(item: CampaignItem) -> ToolGrant | None:
    """Return what stands of an item's grant now: a later version of it, or nothing."""
    rows = ToolGrant.objects.select_related("identity__team", "identity__owner", "tool")
    same = rows.filter(identity=item.grant.identity_id, tool=item.grant.tool_id)
    return same.filter(state=ToolGrant.State.ACTIVE).first()


def _check_opening(team: Team, due_at: datetime, reviewers: Collection[User]) -> None:
    now = timezone.now()
    if not now < due_at <= now + LONGEST:
        raise ValidationFailed("invalid_date", f"a campaign ends within the next {LONGEST.days} days")
    if not reviewers:
        raise ValidationFailed("no_reviewer", "name somebody who looks at the grants")
    for person in reviewers:
        if not may_govern(person, PERMISSION, team).allowed:
            raise ValidationFailed("not_a_reviewer", f"{person} may not change grants of {team}")


def _find_grants(team: Team, unused_days: int | None) -> list[ToolGrant]:
    agents = AgentIdentity.objects.filter(team=team).exclude(state="revoked").select_related("team")
    if unused_days is None:
        permitting = ToolGrant.objects.permitting(agents).select_related("identity__team", "tool")
        found = list(permitting.order_by("identity__slug", "tool__name"))
    else:
        found = [use.grant for use in read_use(agents, unused_days) if not use.calls]
    if not found:
        raise ValidationFailed("nothing_to_review", f"{team} has no such grants")
    return found


def _check_reviewable(grants: Collection[ToolGrant], reviewers: Collection[User]) -> None:
    for grant in grants:
        if not any(may_judge(person, grant).allowed for person in reviewers):
            problem = (
                f"nobody of them may judge {grant}: add somebody who did not grant it and is not the owner"
            )
            raise ValidationFailed("no_reviewer", problem)


def _carry_out(actor: User, grant: ToolGrant, decision: str, reason: str, terms: Terms | None) -> ToolGrant:
    if decision == Became.KEPT:
        return grant
    if decision == Became.REVOKED:
        return revoke_grant(actor=actor, grant=grant, reason=reason)
    if decision != Became.SHRUNK or terms is None:
        raise ValidationFailed("unknown_decision", "keep it, revoke it, or shrink it to smaller terms")
    # Whatever is asked about every call still is, of whom too, and for as long as before people may veto one.
    terms = replace(
        terms, policy_table=grant.policy_table_id, veto_s=grant.veto_s, confirmation=grant.confirmation
    )
    check_smaller(grant, terms)
    return set_grant(actor=actor, identity=grant.identity, tool=grant.tool, terms=terms)


@transaction.atomic
def _expire_item(item: CampaignItem) -> None:
    locked = _lock(item)
    if locked.decision:
        return  # somebody was faster
    identity, tool = locked.grant.identity, locked.grant.tool
    why = f"Nobody decided about it in the campaign “{locked.campaign}” in time."
    gone = expire_grant(identity=identity, tool=tool, reason=why) is None
    _settle(locked, Became.GONE if gone else Became.EXPIRED, None, "")
    facts = {"item": str(locked.pk), "grant": str(locked.grant_id)}
    _record(locked.campaign, "campaign.grant_gone" if gone else "campaign.grant_expired", facts, None)


@transaction.atomic
def _close(campaign: Campaign) -> bool:
    """Close a campaign of which everything is decided, with its receipt; return whether this did."""
    locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
    became = count_decisions(locked)
    if locked.state == Campaign.State.CLOSED or became.get(""):
        return False
    locked.state, locked.closed_at = Campaign.State.CLOSED, timezone.now()
    locked.save(update_fields=["state", "closed_at"])
    _record(locked, "campaign.closed", {"became": became}, None)
    return True


def count_decisions(campaign: Campaign) -> dict[str, int]:
    """Return how many grants became what; under an empty word those that nobody has decided about."""
    rows = list(campaign.items.values_list("decision", flat=True))
    return {word: rows.count(word) for word in sorted(set(rows))}


def _settle(item: CampaignItem, decision: str, actor: User | None, reason: str) -> None:
    item.decision, item.decided_by, item.decided_at = decision, actor, timezone.now()
    item.reason = reason
    check_fields(item)
    item.save(update_fields=["decision", "decided_by", "decided_at", "reason"])


def _lock(item: CampaignItem) -> CampaignItem:
    rows = CampaignItem.objects.select_for_update(of=("self",))
    return rows.select_related("campaign", "grant__identity__team", "grant__tool").get(pk=item.pk)


def _record(
    campaign: Campaign, kind: str, facts: Mapping[str, object], actor: User | None, reason: str = ""
) -> None:
    content = {"reason": reason} if reason else None
    record(
        campaign.pk,
        "campaign",
        Draft(kind, timezone.now(), dict(facts), content, actor.pk if actor else None),
    )
