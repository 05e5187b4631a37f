"""What people are shown who decide, as the document says it: every part of it is named there, and is what it says."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
import yaml
from django.conf import settings

from tests.api.conftest import Callers
from tests.approvals.test_sources_shown import ask
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company"]
DOCUMENT: dict[str, Any] = yaml.safe_load((settings.BASE_DIR / "docs/openapi.yaml").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]


def problems(shown: dict[str, Any]) -> list[str]:
    """Return where evidence is not what the document says, and what the document does not name."""
    schema = {"$ref": "#/components/schemas/Evidence", "components": {"schemas": SCHEMAS}}
    found = [str(error) for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(shown)]
    for part, kind in ((shown, "Evidence"), *((seen, "SeenAnswer") for seen in shown["evidence"])):
        found += [f"{kind} has no {name}" for name in part.keys() - SCHEMAS[kind]["properties"].keys()]
    return found


@pytest.fixture
def shown(company: Company, callers: Callers) -> dict[str, Any]:
    """Provide the evidence about a call that a run has asked people about, having read something."""
    ask(company)
    (approval,) = callers.fiona.get("/approvals").body["data"]
    evidence: dict[str, Any] = approval["evidence"]
    return evidence


def test_it_is_what_the_document_says(shown: dict[str, Any]) -> None:
    assert problems(shown) == []
    assert shown["marks"] == {"to": "untrusted", "copy": ["user", "trusted"], "text": "nowhere"}
    assert shown["evidence"][0]["sources"] == ["untrusted", "trusted"]


@pytest.mark.parametrize(
    "change", [{"marks_of": 1}, {"principal": "customer-17"}, {"evidence_left_out": "none"}, {"statement": 7}]
)
def test_another_thing_would_be_noticed(shown: dict[str, Any], change: dict[str, Any]) -> None:
    assert problems({**shown, **change})
