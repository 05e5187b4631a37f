"""Models by role in documents that are applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentops.errors import ValidationFailed
from identities.models import User
from runs.models import AgentVersion, Price
from tests.runs.provisioning.document import apply, changed, edited

pytestmark = [pytest.mark.setup, pytest.mark.slow]

ROLES = {"plan": ["dear-model", "little-model"], "execute": ["little-model"]}


def behave(**version: Any) -> Callable[[dict[str, Any]], object]:  # Any: JSON
    """Return the edit that gives the agent's version these fields, and a dear model its price."""

    def edit(document: dict[str, Any]) -> None:
        document["versions"]["desk-agent"].update(version)
        price = {"version": "1", "input_usd_per_mtok": "10", "output_usd_per_mtok": "40"}
        document["prices"]["dear-model"] = price

    return edit


def test_a_document_names_models_by_role(ada: User) -> None:
    text = edited(behave(model_roles=ROLES, escalate_invalid=1, escalate_failed=0, demote_percent=5))
    apply(ada, text)
    version = AgentVersion.objects.get()
    assert (version.state, version.model_roles) == ("published", ROLES)
    assert (version.escalate_invalid, version.escalate_failed, version.demote_percent) == (1, 0, 5)
    assert apply(ada, text).is_empty


def test_other_models_are_a_new_version_that_says_what_has_changed(ada: User) -> None:
    apply(ada)
    plan = apply(ada, edited(behave(model_roles=ROLES)))
    assert changed(plan)["version desk-agent v2"]
    assert "model_roles" in str(plan)
    assert AgentVersion.objects.get(state="published").model_roles == ROLES


def test_a_document_says_how_a_window_is_kept(ada: User) -> None:
    kept = {"summarise": True, "redact": ["email"], "model_roles": {"summarise": ["little-model"]}}
    apply(ada, edited(behave(**kept)))
    version = AgentVersion.objects.get()
    assert (version.summarise, version.redact, version.model_roles) == tuple(kept.values())


@pytest.mark.parametrize(
    "roles", [{"extract": ["a"]}, {"plan": []}, {"plan": ["a", "a"]}, {"plan": ["a b"]}, {"plan": "a"}]
)
def test_what_names_no_models_is_refused(ada: User, roles: Any) -> None:
    with pytest.raises(ValidationFailed):
        apply(ada, edited(behave(model_roles=roles)))
    assert not Price.objects.exists()


def test_a_model_without_a_price_is_a_finding(ada: User) -> None:
    with pytest.raises(ValidationFailed, match="unpriced"):
        apply(ada, edited(behave(model_roles={"execute": ["little-model", "unpriced"]})))
