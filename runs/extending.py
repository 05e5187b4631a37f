"""Who may let a run go on beyond its limit: nobody who has a part in it or in a run that it acts for, and no deputy."""

from __future__ import annotations

from collections.abc import Iterator
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
    if part := _find_own(actor, run, owner_then):
        return part
    for absence in read_absences(actor):
        if absence.team_id in (None, run.team_id) and _find_own(absence.absent, run, owner_then):
            return May(False, "deputy_of_a_part", DEPUTY.format(absent=absence.absent))
    return None


def _find_own(actor: User, run: Run, owner_then: UUID | None) -> May | None:
    own = next(_parts_in(actor, run, owner_then), None)
    if own is not None:
        return May(False, PARTS[own].code, PARTS[own].words)
    above = Run.objects.filter(pk__in=[link["run"] for link in run.line])
    for parent in above.select_related("identity", "principal") if run.line else ():
        part = next(_parts_in(actor, parent, None), None)
        if part is not None:
            told = PARTS[part].words_above.format(run=parent.pk, agent=parent.identity)
            return May(False, PARTS[part].code_above, told)
    return None


def _parts_in(actor: User, run: Run, owner_then: UUID | None) -> Iterator[str]:
    """Yield the parts that somebody has in a run, as `approvals.duties` names them."""
    if actor.pk in (run.identity.owner_id, owner_then):
        yield "owner"
    if actor.pk == run.started_by_id:
        yield "starter"
    if actor.pk == issuer_of(run.credential_id):
        yield "key issuer"
    if (run.principal.issuer, run.principal.subject) == (STAFF_ISSUER, actor.get_username()):
        yield "end user"
