"""For what people and end users are asked: the run, as approvals know it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from approvals.services import Parent, Subject
from identities.models import ApiKey
from runs.models import Run
from runs.session import Session

WAKE_TASK = "runs.drive"


def subject_of(session: Session) -> Subject:
    """Return the run, and whose work it is, with the runs that it is done for."""
    context = session.context
    return Subject(
        str(context.run_id), WAKE_TASK, context.team_id, context.principal_id, context.application_id,
        context.started_by_id, tuple(_parents_of(session)), issuer_of(context.credential_id),
    )  # fmt: skip


def _parents_of(session: Session) -> Iterator[Parent]:
    """Read who has a part in the runs that this one acts for; where one is missing, nobody is asked."""
    line = [link.run_id for link in session.authority.line]
    runs = Run.objects.in_bulk(line) if line else {}
    for run in (runs[run_id] for run_id in line):
        issuer = issuer_of(run.credential_id)
        yield Parent(str(run.pk), run.identity_id, run.principal_id, run.started_by_id, issuer)


def issuer_of(key: UUID | None) -> UUID | None:
    """Return who issued the key that started a run; None for a run without one, or of a key that is gone."""
    if key is None:
        return None
    return ApiKey.objects.filter(pk=key).values_list("issued_by_id", flat=True).first()
