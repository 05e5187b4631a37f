"""What a team can review, in a document."""

from __future__ import annotations

import pytest
import yaml

from agentops.errors import ValidationFailed
from approvals.models import ReviewCapacity
from identities.models import User
from runs.provisioning import apply_document
from runs.provisioning.plan import Plan
from tests.runs.provisioning.document import BASE, VARIABLES

pytestmark = [pytest.mark.setup, pytest.mark.slow]

NOT_SAID = object()


def apply(ada: User, number: object = NOT_SAID, *, dry_run: bool = False) -> Plan:
    told = yaml.safe_load(BASE)
    if number is not NOT_SAID:
        told["teams"]["desk"]["reviews_per_approver_hour"] = number
    return apply_document(actor=ada, text=yaml.safe_dump(told), variables=VARIABLES, dry_run=dry_run)


def standing() -> int | None:
    return ReviewCapacity.objects.values_list("per_approver_hour", flat=True).first()


def test_the_bound_is_set_once_changed_and_left_alone(ada: User) -> None:
    assert "review capacity" in str(apply(ada, 20))
    assert (standing(), apply(ada, 20).is_empty) == (20, True)
    assert "review capacity" in str(apply(ada, 30, dry_run=True))
    assert standing() == 20
    apply(ada, 30)
    assert (standing(), apply(ada).is_empty, standing()) == (30, True, 30)


def test_null_takes_it_away(ada: User) -> None:
    apply(ada, 20)
    assert "per_approver_hour: 20 → (none)" in str(apply(ada, None))
    assert (standing(), apply(ada, None).is_empty) == (None, True)


@pytest.mark.parametrize("number", [0, -1, 1001, "20", 2.5, True])
def test_what_is_no_such_number_is_refused(ada: User, number: object) -> None:
    with pytest.raises(ValidationFailed):
        apply(ada, number)
    assert standing() is None
