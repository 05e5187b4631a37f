"""A team's reasons to deny, in a document."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentops.errors import ValidationFailed
from approvals.denials import SHIPPED, read_presets
from approvals.models import DenialReasons
from identities.models import Team, User
from runs.provisioning import apply_document
from tests.runs.provisioning.document import BASE, VARIABLES

pytestmark = [pytest.mark.setup, pytest.mark.slow]

LATE = {"code": "too_late", "words": "It is past the 30 days."}


def document(*reasons: Any) -> str:
    told = yaml.safe_load(BASE)
    told["teams"]["desk"]["denial_reasons"] = list(reasons)
    return yaml.safe_dump(told)


def test_listed_reasons_are_the_teams_and_no_others(ada: User) -> None:
    changed = apply_document(actor=ada, text=document(LATE), variables=VARIABLES)
    assert "denial reasons desk" in str(changed)
    assert DenialReasons.objects.get().reasons == [LATE]
    assert apply_document(actor=ada, text=document(LATE), variables=VARIABLES).is_empty
    assert apply_document(actor=ada, text=BASE, variables=VARIABLES).is_empty
    assert DenialReasons.objects.get().reasons == [LATE]


def test_a_document_without_them_leaves_what_is_shipped(ada: User) -> None:
    apply_document(actor=ada, text=BASE, variables=VARIABLES)
    team = Team.objects.get(slug="desk")
    assert read_presets([team.pk])[team.pk] == SHIPPED


@pytest.mark.parametrize(
    "reason", [{"code": "Late", "words": "So."}, {"code": "late"}, {**LATE, "more": 1}], ids=str
)
def test_a_list_that_cannot_be_kept(ada: User, reason: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        apply_document(actor=ada, text=document(reason), variables=VARIABLES)
