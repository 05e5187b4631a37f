"""Ready-made reasons to deny: a team's own list, or the one that is shipped. What was chosen can be counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from approvals.governing import PERMISSION
from approvals.models import DenialReasons
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require

CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")
MOST, LONGEST = 20, 200


@dataclass(frozen=True, slots=True)
class Preset:
    """A reason to deny: the code for those who count, the words for the agent."""

    code: str
    words: str


SHIPPED = (
    Preset("not_asked_for", "The user has not asked for this."),
    Preset("wrong_target", "This is about the wrong thing or the wrong person."),
    Preset("wrong_amount", "The amount is not right."),
    Preset("against_policy", "Our rules do not allow this."),
    Preset("too_little_evidence", "Nothing shown here supports this."),
)


def read_presets(teams: Iterable[UUID]) -> dict[UUID, tuple[Preset, ...]]:
    """Return the reasons to deny of each team, in their order."""
    wanted = set(teams)
    own = dict(DenialReasons.objects.filter(pk__in=wanted).values_list("pk", "reasons"))
    return {
        team: tuple(Preset(each["code"], each["words"]) for each in own[team]) if team in own else SHIPPED
        for team in wanted
    }


def find_preset(team: UUID, code: str) -> Preset:
    """Return the preset of this code; raises ValidationFailed, naming those that there are."""
    presets = read_presets([team])[team]
    found = next((preset for preset in presets if preset.code == code), None)
    if found is None:
        known = ", ".join(preset.code for preset in presets) or "none"
        raise ValidationFailed("unknown_preset", f"there is no such reason to deny; the team's are: {known}")
    return found


@transaction.atomic
def set_denial_reasons(
    *,
    actor: User,
    team: Team,
    reasons: Sequence[Mapping[str, Any]] | None,  # Any: typed in by people
) -> tuple[Preset, ...]:
    """Set a team's reasons to deny as a whole; None: those that are shipped. Raises ValidationFailed, PolicyDenied.

    One person may: a reason decides nothing, and who denies may always say it in their own words.
    """
    locked = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
    require(actor, PERMISSION, locked)
    require_fresh_factor(actor)
    if faults := list(_find_faults(reasons or ())):
        raise ValidationFailed("invalid_reasons", "; ".join(faults), problems=faults)
    wanted = (
        None if reasons is None else [asdict(Preset(each["code"], each["words"].strip())) for each in reasons]
    )
    present = DenialReasons.objects.filter(pk=locked.pk).first()
    if wanted != (present.reasons if present else None):
        _write(locked, wanted, actor)
    return read_presets([locked.pk])[locked.pk]


def _write(team: Team, wanted: list[dict[str, str]] | None, actor: User) -> None:
    now = timezone.now()
    if wanted is None:
        DenialReasons.objects.filter(pk=team.pk).delete()
    else:
        values = {"reasons": wanted, "set_by": actor, "set_at": now}
        DenialReasons.objects.update_or_create(pk=team.pk, defaults=values)
    record(team.pk, "team", Draft("denial_reasons.set", now, {"reasons": wanted}, actor=actor.pk))


def _find_faults(reasons: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(reasons) > MOST:
        yield f"reasons: at most {MOST}"
    codes = [each.get("code") if isinstance(each, Mapping) else None for each in reasons]
    for place, (each, code) in enumerate(zip(reasons, codes, strict=True), start=1):
        if not isinstance(code, str) or not CODE.fullmatch(code) or codes.count(code) > 1:
            yield f"reasons/{place}: a code of its own, of up to 40 small letters, digits and _"
        words = each.get("words") if isinstance(each, Mapping) else None
        if not isinstance(words, str) or is_blank(words) or len(words) > LONGEST:
            yield f"reasons/{place}: words, at most {LONGEST} characters"
        elif set(each) != {"code", "words"}:
            yield f"reasons/{place}: has code and words"
