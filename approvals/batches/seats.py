"""In whose seats somebody decides about many requests: as a single decision finds it, in few statements."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from approvals.deputies import find_place, may_stand_in, read_absences
from approvals.models import Absence, ApprovalRequest
from identities.models import User

Seats = dict[UUID, Absence | None]


def find_seats(actor: User, requests: Iterable[UUID]) -> Seats:
    """Return those that this person may decide now: in their own seat (None), else in that of who is away.

    A request that asks the person themselves is decided in their own seat, as it is when it is decided alone; of two
    who are away, for whom it was said first.
    """
    ids = list(requests)
    rows = ApprovalRequest.objects.filter(pk__in=ids)
    seats: Seats = dict.fromkeys(rows.decidable_by(actor, as_deputy=False).values_list("pk", flat=True), None)
    if absences := read_absences(actor):
        left = rows.exclude(pk__in=seats).decidable_by(actor)
        taken = left.annotate(first=find_place(absences, may_stand_in)).values_list("pk", "first")
        seats |= {pk: absences[place] for pk, place in taken if place is not None}
    return seats
