"""Query parameters: what the OpenAPI document does not declare is refused, since it would be ignored."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.api.document import read_document
from agentops.identifiers import new_id
from tests.api.conftest import Callers

PATHS = read_document()["paths"]


def operations() -> list[Any]:
    return [
        pytest.param(method, path, operation, id=operation["operationId"])
        for path, item in PATHS.items()
        for method, operation in item.items()
    ]


def address(path: str) -> str:
    """Fill in places that lead nowhere: a query is refused before anything is looked up."""
    names = ("run_id", "approval_id", "agent_id", "tool_id", "handover_id", "stop_id", "campaign_id")
    more = ("proposal_id", "table_id", "batch_id", "absence_id", "webhook_id", "delivery_id", "change_set_id")
    for name in (
        *names,
        *more,
        "confirmation_id",
        "extension_id",
        "letter_id",
        "set_id",
        "evaluation_id",
        "memory_id",
        "switch_id",
        "application_id",
        "api_key_id",
        "key_set_id",
        "schedule_id",
        "server_id",
        "server_tool_id",
    ):
        path = path.replace(f"{{{name}}}", str(new_id()))
    return path.replace("{step}", "1").replace("{call}", "1").replace("{number}", "1")


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_no_operation_takes_what_it_does_not_declare(
    callers: Callers, method: str, path: str, operation: dict[str, Any]
) -> None:
    for unknown in ("stat=completed", "format=json", "Limit=3", "=1", "x=1&y=2"):
        answer = callers.bob.send(method.upper(), f"{address(path)}?{unknown}", b"{}")
        assert (answer.status, answer.code) == (400, "unknown_parameter"), unknown
        assert len(answer.body["reasons"]) == unknown.count("=")


@pytest.mark.parametrize(("method", "path", "operation"), operations())
def test_every_declared_parameter_is_known(
    callers: Callers, method: str, path: str, operation: dict[str, Any]
) -> None:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            answer = callers.bob.send(method.upper(), f"{address(path)}?{parameter['name']}=")
            assert answer.body.get("code") != "unknown_parameter", parameter


@pytest.mark.parametrize("name", ["docs", "openapi.json", "openapi.yaml"])
def test_the_document_takes_no_parameters(callers: Callers, name: str) -> None:
    assert callers.stranger.get(f"/{name}?format=json").code == "unknown_parameter"


def test_a_typo_is_named(callers: Callers) -> None:
    answer = callers.bob.get("/runs?stat=completed&limit=3")
    assert answer.body["detail"] == "There is no such parameter here: stat."


def test_a_filter_that_comes_twice_is_refused(callers: Callers) -> None:
    answer = callers.bob.get("/runs?state=queued&state=completed")
    assert (answer.status, answer.code) == (400, "invalid_parameter")
    assert [reason["code"] for reason in answer.body["reasons"]] == ["invalid_state"]


def test_a_stranger_learns_nothing_of_parameters(callers: Callers) -> None:
    assert callers.stranger.get("/runs?stat=completed").code == "not_authenticated"
