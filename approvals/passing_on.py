"""What somebody who begins to rest has before them is passed on by name: to the others who may decide it now.

Nobody gets a right by it, and the ladder of a rule keeps its own time, which the database holds: two people set it.
Where nobody else may decide, that is said to those who can change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from agentops.ledger.entries import Draft
from agentops.ledger.many import record_many
from approvals.deputies import is_about
from approvals.models import Absence, ApprovalRequest, OversightRule, PassedRequest
from approvals.notices.approving import LEFT_ALONE, PASSED_ON
from approvals.notices.outbox import announce
from approvals.pace import find_rest, read_rest, read_times
from approvals.seats import CODENAME
from identities.models import User
from identities.roles import AUDITOR
from tools.models import ToolGroupObjectPermission, ToolUserObjectPermission

STREAM_KIND = "approval"
MOST_PASSED = (
    50  # requests of a team, those that expire first: it is done with the decision that begins the rest
)
MOST_ASKED = 20  # others, each of whom is asked about exactly

Others = Mapping[UUID, Sequence[User]]


def pass_on(person: User, now: datetime) -> int:
    """Pass on what somebody has before them in each team whose rule has them rest now, in the caller's transaction.

    Return of how many requests. What was passed on in this rest stays as it is.
    """
    return sum(_pass_on_in(rule, person, until, now) for rule, until in _find_rests(person, now))


def _find_rests(person: User, now: datetime) -> Iterator[tuple[OversightRule, datetime]]:
    rules = list(OversightRule.objects.standing().filter(most__isnull=False))
    times = read_times(person, max(rule.most or 0 for rule in rules)) if rules else []
    for rule in rules:
        if rule.most is None or rule.within_s is None or rule.pause_s is None:
            continue
        until = find_rest(times, rule.most, rule.within_s, rule.pause_s)
        if until is not None and until > now:
            yield rule, until


def _pass_on_in(rule: OversightRule, person: User, until: datetime, now: datetime) -> int:
    passed = PassedRequest.objects.filter(person=person, until__gt=now)
    open_to = ApprovalRequest.objects.decidable_by(person).filter(team=rule.team_id, expires_at__gt=now)
    mine = open_to.exclude(pk__in=passed.values("request")).order_by("expires_at")
    # What somebody is deciding at this moment is theirs: to wait for it here could be to wait for one another.
    left = list(mine.select_for_update(skip_locked=True, of=("self",))[:MOST_PASSED])
    if not left:
        return 0
    others = find_others(left, person, now)
    PassedRequest.objects.bulk_create(
        (
            PassedRequest(request=each, person=person, to=[other.pk for other in others[each.pk]], until=until, at=now)
            for each in left
        ),
        update_conflicts=True, unique_fields=["request", "person"], update_fields=["to", "until", "at"],
    )  # fmt: skip
    facts = {"rule": str(rule.pk), "until": until.isoformat()}
    record_many(STREAM_KIND, {each.pk: _draft(facts, person, others[each.pk], now) for each in left})
    told = {"due_at": until.isoformat()}
    announce([each for each in left if others[each.pk]], PASSED_ON, now, told)
    announce([each for each in left if not others[each.pk]], LEFT_ALONE, now, told)
    return len(left)


def _draft(facts: Mapping[str, str], person: User, others: Sequence[User], now: datetime) -> Draft:
    to = [str(other.pk) for other in others]
    return Draft("approval.passed_on", now, {**facts, "to": to}, actor=person.pk)


def find_others(requests: Sequence[ApprovalRequest], person: User, now: datetime) -> dict[UUID, list[User]]:
    """Return who else may decide each of these now, colleagues and deputies, and neither rests nor is away."""
    rows = ApprovalRequest.objects.filter(pk__in=[each.pk for each in requests])
    found: dict[UUID, list[User]] = {each.pk: [] for each in requests}
    teams = {each.team_id for each in requests}
    for other in _find_candidates(requests, person, now):
        resting = [team for team in teams if read_rest(other, team, now)]
        theirs = set(rows.decidable_by(other).exclude(team__in=resting).values_list("pk", flat=True))
        for pk in theirs - _find_left(other, rows, now):
            found[pk].append(other)
    return found


def _find_candidates(requests: Sequence[ApprovalRequest], person: User, now: datetime) -> list[User]:
    given = {
        "content_object__in": {each.tool_id for each in requests},
        "permission__codename": CODENAME,
    }
    own = ToolUserObjectPermission.objects.filter(**given).values("user")
    groups = ToolGroupObjectPermission.objects.filter(**given).values("group")
    deputies = Absence.objects.standing(now).values("deputy")
    may = Q(pk__in=own) | Q(groups__in=groups) | Q(pk__in=deputies)
    people = User.objects.filter(may, kind=User.Kind.PERSON, is_active=True).exclude(pk=person.pk)
    return list(people.exclude(groups__name=AUDITOR).distinct().order_by("username")[:MOST_ASKED])


def _find_left(person: User, rows: QuerySet[ApprovalRequest], now: datetime) -> set[UUID]:
    """Return those of these requests that somebody who is away has left to their deputy."""
    absences = Absence.objects.standing(now).filter(absent=person, group=None)
    return {pk for each in absences for pk in rows.filter(is_about(each)).values_list("pk", flat=True)}


def tell_others(request: ApprovalRequest, person: User, now: datetime) -> str:
    """Return in words to whom a request is left while this person rests, or what happens if that is nobody."""
    if others := find_others([request], person, now)[request.pk]:
        return f"It is left to {', '.join(str(other) for other in others)}"
    asked = "others are asked once the rule's time has come, or it" if request.escalates_at else "it"
    return f"Nobody else may decide this one now: {asked} waits for you, or expires"
