"""A document declares secrets, and never holds their values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentops.errors import AgentOpsError, PolicyDenied
from identities.models import Secret
from identities.services import replace_secret, retire_secret
from runs.provisioning.document import apply_document
from runs.provisioning.plan import Plan
from tests.cast import Cast
from tools.models import ToolVersion

pytestmark = [pytest.mark.setup, pytest.mark.slow]

VALUE = "canary-of-a-document"
CONFIG = {"method": "GET", "url": "https://shop.example/orders", "credential": "shop-key"}
TOOL = {
    "team": "support", "description": "Looks an order up.", "effect": "read", "idempotency": "none", "adapter": "http",
    "config": CONFIG,
    "input_schema": {"type": "object"},
}  # fmt: skip


def apply(cast: Cast, actor: Any = None, tools: dict[str, Any] | None = None, **changes: Any) -> Plan:
    secret = {"team": "support", "purpose": "Calls the shop.", "provider": "static", **changes}
    document = {"format": "agentops/1", "secrets": {"shop-key": secret}, "tools": tools or {}}
    return apply_document(actor=actor or cast.alice, text=json.dumps(document))


def test_it_is_declared_once_and_its_value_is_asked_for(cast: Cast) -> None:
    plan = apply(cast, tools={"look_up": TOOL}, settings={"header": "X-Api-Key", "scheme": ""})
    secret = Secret.objects.get()

    assert (secret.provider, secret.settings["header"], secret.version) == ("static", "X-Api-Key", 0)
    assert "give it one in the console" in str(plan)
    assert ToolVersion.objects.get().config["credential"] == "shop-key"
    replace_secret(actor=cast.alice, secret=secret, value=VALUE)
    again = apply(cast, settings={"header": "X-Api-Key", "scheme": ""})
    assert again.is_empty
    assert again.notes == ()
    assert VALUE not in str(again)


@pytest.mark.parametrize(
    "change",
    [{"value": VALUE}, {"sealed_value": VALUE}, {"settings": {"value": VALUE}}, {"provider": "vault"}],
)
def test_a_value_or_what_no_provider_takes_is_refused_and_not_quoted(
    cast: Cast, change: dict[str, Any]
) -> None:
    with pytest.raises(AgentOpsError) as refused:
        apply(cast, **change)
    assert VALUE not in str(refused.value)
    assert not Secret.objects.exists()


@pytest.mark.parametrize(
    "change", [{"settings": {"scheme": "Token"}}, {"provider": "oauth"}, {"purpose": "Something else."}]
)
def test_what_people_have_approved_is_not_changed(cast: Cast, change: dict[str, Any]) -> None:
    apply(cast)
    with pytest.raises(AgentOpsError, match="under another name"):
        apply(cast, **change)


def test_a_retired_one_is_not_declared_again(cast: Cast) -> None:
    apply(cast)
    retire_secret(actor=cast.alice, secret=Secret.objects.get())
    with pytest.raises(AgentOpsError, match="under another name"):
        apply(cast)


def test_a_tool_that_names_none_is_refused(cast: Cast) -> None:
    with pytest.raises(AgentOpsError, match="tools/look_up: config: name as credential"):
        apply(cast, tools={"look_up": {**TOOL, "config": {**CONFIG, "credential": "other"}}})


@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_others_declare_none(cast: Cast, name: str) -> None:
    with pytest.raises(PolicyDenied):
        apply(cast, actor=getattr(cast, name))
