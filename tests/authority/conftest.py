"""The safe default: what loosens takes two people."""

from __future__ import annotations

import pytest

from identities.models import ChangeRule
from tests.cast import Cast


@pytest.fixture
def governed(cast: Cast) -> Cast:
    """Provide the cast without the rules by which one person is enough; taking them away tightens."""
    for rule in ChangeRule.objects.all():
        rule.needs = "two_to_loosen"
        rule.save()
    return cast
