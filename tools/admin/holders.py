"""Who holds a tool: its grants in force, what they say about end users, and who lost theirs lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils import timezone

from agentops.console.panels import Panel, register_panel
from agentops.ledger.models import Entry
from identities.acting import acting_person
from identities.models import User
from tools.admin.tool_parts import newest_version
from tools.admin.words import describe_terms, join_caps, may_run_without_people
from tools.models import Tool, ToolGrant, ToolVersion, UserTerms

ON_A_PAGE = 25
MOST_PAGES = 400
TERMS_SHOWN = 10
LOST_SHOWN = 10
LOST_DAYS = 30
DECIDED = {
    ToolGrant.Decision.DENY: "it is denied",
    ToolGrant.Decision.REQUIRE_APPROVAL: "a person is asked",
    ToolGrant.Decision.ALLOW: "nothing is taken away",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """A grant in force, in words; ``standing`` says why it lets nothing through all the same, empty if it does."""

    grant: ToolGrant
    terms: str
    unattended: bool
    standing: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A grant that was taken away: when, and by whom; nobody where it expired by itself."""

    grant: ToolGrant
    at: datetime
    by: str


def read_holders(request: HttpRequest, subject: Tool) -> dict[str, Any]:
    """Return one page of the grants that this person may see, the end users' terms, and what was lost lately."""
    person, now, page = acting_person(request), timezone.now(), _page(request)
    latest = newest_version(request, subject)
    first = (page - 1) * ON_A_PAGE
    grants = ToolGrant.objects.visible_to(person).filter(tool=subject, state="active")
    related = "identity__team", "tool", "policy_table", "waived_by", "countersigned_by"
    rows = list(
        grants.select_related(*related).order_by("identity__slug", "pk")[first : first + ON_A_PAGE + 1]
    )
    terms = UserTerms.objects.visible_to(person).standing().filter(tool=subject).select_related("principal")
    of_users = list(terms.order_by("principal_id")[: TERMS_SHOWN + 1])
    return {
        "tool": subject,
        "holders": [_hold(grant, latest, now) for grant in rows[:ON_A_PAGE]],
        "newer": page - 1 if page > 1 else None,
        "older": page + 1 if len(rows) > ON_A_PAGE and page < MOST_PAGES else None,
        "of_users": [(row, _say(row, latest)) for row in of_users[:TERMS_SHOWN]],
        "more_users": len(of_users) > TERMS_SHOWN,
        "lost": _lost(person, subject, now),
        "days": LOST_DAYS,
    }


def _hold(grant: ToolGrant, latest: ToolVersion | None, now: datetime) -> Holder:
    return Holder(grant, describe_terms(grant, latest), may_run_without_people(grant), _standing(grant, now))


def _standing(grant: ToolGrant, now: datetime) -> str:
    if grant.valid_until is not None and grant.valid_until <= now:
        return "expired"
    return "" if grant.identity.state == "active" else str(grant.identity.state)


def _say(terms: UserTerms, latest: ToolVersion | None) -> str:
    """Return what end users' terms take away, in words."""
    caps = join_caps(terms.caps, latest.currency if latest else "")
    if terms.decision == ToolGrant.Decision.ALLOW_WITH_CAPS:
        beyond = "a person is asked" if terms.over_caps == "REQUIRE_APPROVAL" else "it is denied"
        return f"up to {caps}; beyond that {beyond}"
    return DECIDED[ToolGrant.Decision(terms.decision)] + (f"; never beyond {caps}" if caps else "")


def _lost(person: User, tool: Tool, now: datetime) -> list[Lost]:
    """Return what was taken away in the last month, the latest first; when and by whom say the agents' streams."""
    revoked = (
        ToolGrant.objects.visible_to(person).filter(tool=tool, state="revoked").select_related("identity")
    )
    grants = {str(grant.pk): grant for grant in revoked.order_by("-pk")[: LOST_SHOWN * 5]}
    if not grants:
        return []
    told = _taken_away(grants.values(), now - timedelta(days=LOST_DAYS))
    return [Lost(grants[grant], at, by or "nobody") for grant, at, by in told if grant in grants]


def _taken_away(
    grants: Any, since: datetime
) -> list[tuple[str, datetime, str | None]]:  # Any: rows of grants
    streams = {grant.identity_id for grant in grants}
    entries = Entry.objects.filter(stream_id__in=streams, kind="grant.revoked", at__gte=since)
    named = entries.filter(facts__grant__in=[str(grant.pk) for grant in grants])
    by = User.objects.filter(pk=OuterRef("actor")).values("username")
    told = named.annotate(by=Subquery(by[:1])).order_by("-at")
    return list(told.values_list("facts__grant", "at", "by")[:LOST_SHOWN])


def _page(request: HttpRequest) -> int:
    given = request.GET.get("holders", "")
    return (
        min(max(1, int(given)), MOST_PAGES) if given.isascii() and given.isdecimal() and len(given) < 6 else 1
    )


register_panel(
    Panel("tools.tool", "Who holds it", "tools/holders.html", read_holders, order=5, size="two-thirds")
)
