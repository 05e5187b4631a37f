"""Who may let a run go on beyond its limit: nobody who has a part in it or in a run that it acts for, and no deputy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from agentops.console.second_factor import REQUIRED
from approvals.deputies import read_absences
from approvals.duties import PARTS
from identities.models import STAFF_ISSUER, User
from identities.roles import is_auditor
from runs.actions.subjects import issuer_of
from runs.models import Extension, Run
from runs.policies import May, may_control

EXTEND = "runs.extend_budget"
DEPUTY = "you are the deputy of {absent}, who has a part in this; ask a colleague"


@dataclass(frozen=True, slots=True)
class _Parts:
    """Who has a part in a run: ``held`` by ids of people, ``served`` by username; ``parent`` where it is one above."""

    parent: Run | None
    held: Mapping[str, set[UUID | None]]
    served: str | None

    def refuse(self, person: User) -> May | None:
        """Return why somebody with a part decides nothing, None for all others."""
        name = next((name for name, people in self.held.items() if person.pk in people), None)
        if name is None and person.get_username() != self.served:
            return None
        part = PARTS[name or "end user"]
        if self.parent is None:
            return May(False, part.code, part.words)
        told = part.words_above.format(run=self.parent.pk, agent=self.parent.identity)
        return May(False, part.code_above, told)


def may_extend(actor: User, run: Run, extension: Extension, *, second_factor: bool) -> May:
    """Return whether this person may decide whether the run goes on, and if not, why and what to do."""
    if actor.kind != User.Kind.PERSON:
        return May(False, "not_a_person", "only people let a run go on")
    controlled = may_control(actor, run, EXTEND)
    if not controlled.allowed:
        return controlled
    if is_auditor(actor):
        return May(False, "is_an_auditor", "an auditor sees, and decides about nothing")
    if part := find_part(actor, run, extension.owner_id):
        return part
    if not second_factor:
        return May(False, REQUIRED, "confirm with your second factor, then decide again")
    return May(True)


def find_part(actor: User, run: Run, owner_then: UUID | None = None) -> May | None:
    """Return the refusal of who has a part in a run, or in one that it acts for, or is a deputy of such; else None."""
    parts = _read_parts(run, owner_then)
    if refusal := _find_own(actor, parts):
        return refusal
    for absence in read_absences(actor):
        if absence.team_id in (None, run.team_id) and _find_own(absence.absent, parts):
            return May(False, "deputy_of_a_part", DEPUTY.format(absent=absence.absent))
    return None


def _read_parts(run: Run, owner_then: UUID | None) -> list[_Parts]:
    """Return who has which part in a run, and in each that it acts for: read once, however many people are asked of."""
    line = [link["run"] for link in run.line]
    above = Run.objects.filter(pk__in=line).select_related("identity", "principal") if line else ()
    return [_parts_in(run, None, owner_then), *(_parts_in(parent, parent, None) for parent in above)]


def _parts_in(run: Run, parent: Run | None, owner_then: UUID | None) -> _Parts:
    """Return the parts as `approvals.duties` names them."""
    served = run.principal.subject if run.principal.issuer == STAFF_ISSUER else None
    held = {
        "owner": {run.identity.owner_id, owner_then},
        "starter": {run.started_by_id},
        "key issuer": {issuer_of(run.credential_id)},
    }
    return _Parts(parent, held, served)


def _find_own(person: User, parts: list[_Parts]) -> May | None:
    return next((refusal for each in parts if (refusal := each.refuse(person))), None)
