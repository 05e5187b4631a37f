"""Functions in a document: their schemas come from their hints, and another signature is another version."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pytest_django import Settings

from agentops.errors import ValidationFailed
from identities.models import User
from runs.provisioning import apply_document
from tests.runs.provisioning.document import BASE, VARIABLES
from tests.tools.functions import shop
from tests.tools.functions.stand_ins import change_hint, forget_stand_ins
from tools.models import ToolVersion

pytestmark = [pytest.mark.slow, pytest.mark.mcp]

HERE = shop.__name__


@pytest.fixture(autouse=True)
def _allowed(settings: Settings) -> Any:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    yield
    forget_stand_ins()


def document(**changes: Any) -> str:  # Any: YAML
    told = yaml.safe_load(BASE)
    told["tools"]["pay_back"] = {
        "team": "desk", "description": "Pays an order back.", "statement": "pay {amount} back for {order_id}",
        "effect": "irreversible", "idempotency": "none", "adapter": "python",
        "config": {"function": f"{HERE}:refund"}, "amount_argument": "amount", "currency": "CHF", **changes,
    }  # fmt: skip
    return yaml.safe_dump(told)


def test_a_function_is_described_by_itself_and_pinned(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    version = ToolVersion.objects.get(tool__name="pay_back")
    assert version.input_schema["required"] == ["order_id", "amount", "due", "lines"]
    assert version.output_schema is not None
    assert sorted(version.config) == ["function", "signature"]
    assert apply_document(actor=ada, text=document(), variables=VARIABLES).is_empty

    change_hint(monkeypatch)
    plan = apply_document(actor=ada, text=document(), variables=VARIABLES)
    assert "~ tool pay_back: update" in str(plan)
    after = ToolVersion.objects.filter(tool__name="pay_back").latest("number")
    assert (after.number, after.input_schema["required"]) == (2, ["order_id", "amount"])
    assert after.config["signature"] != version.config["signature"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"function": f"{HERE}:guess"}, "Any is not understood"),
        ({"function": "os:getcwd"}, "TOOLS_PYTHON_MODULES"),
        ({}, "name a public function"),
    ],
)
def test_a_function_that_says_too_little_is_refused(ada: User, config: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationFailed, match=words):
        apply_document(actor=ada, text=document(config=config), variables=VARIABLES)
