"""Functions in a document: their schemas come from their hints, and another signature is another version."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pytest_django import Settings

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from identities.models import User
from runs.provisioning import apply_document
from tests.runs.provisioning.document import BASE, VARIABLES
from tests.tools.functions import shop
from tests.tools.functions.stand_ins import change_hint, forget_stand_ins
from tools.models import Tool, ToolVersion
from tools.services import accept_tool, functions
from tools.services.catalogue import latest_version
from tools.tasks import recheck_function, recheck_functions

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


def test_a_function_that_has_changed_is_quarantined_until_it_is_applied_and_accepted(
    ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    tool = Tool.objects.get(name="pay_back")
    recheck_function(str(tool.pk))
    assert (recheck_functions(), state_of(tool)) == (0, "active"), "it is what was accepted"

    change_hint(monkeypatch)
    assert (recheck_functions(), state_of(tool)) == (1, "quarantined")
    entry = Entry.objects.filter(stream_id=tool.pk, kind="tool.quarantined").get()
    assert (entry.facts["because"], entry.actor) == ("definition_changed", None)
    with pytest.raises(StateConflict, match="is not what was accepted"):
        accept_tool(actor=ada, tool=tool)

    apply_document(actor=ada, text=document(state="active"), variables=VARIABLES)
    assert state_of(tool) == "active"
    version = latest_version(tool)
    assert version is not None
    assert entry.facts["digest"] == version.config["signature"]
    recheck_function(str(tool.pk))
    assert state_of(tool) == "active"


def test_a_call_that_finds_it_changed_has_it_quarantined(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    tool = Tool.objects.get(name="pay_back")
    change_hint(monkeypatch)
    recheck_function(str(tool.pk))  # as the adapter asks for it: tests/tools/functions/test_adapter.py
    assert state_of(tool) == "quarantined"


def test_a_module_that_cannot_be_loaded_says_nothing_of_its_functions(ada: User, settings: Settings) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    settings.TOOLS_PYTHON_MODULES = []
    forget_stand_ins()
    assert recheck_functions() == 0


def test_without_looking_it_would_stay_in_service(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: whatever is there now is what was accepted."""
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    change_hint(monkeypatch)
    monkeypatch.setattr(functions, "find_changed", lambda _: None)
    assert (recheck_functions(), state_of(Tool.objects.get(name="pay_back"))) == (0, "active")


def state_of(tool: Tool) -> str:
    return str(Tool.objects.get(pk=tool.pk).state)


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
