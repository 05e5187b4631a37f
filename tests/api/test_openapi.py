"""The OpenAPI document: complete, stable, and the same as the one in ``docs/``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema

from agentops.api.document import read_document, render_yaml
from config.urls import api_patterns

KEPT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
REGENERATE = "python manage.py write_openapi"

OPERATIONS = {
    "allowStart",
    "checkApprovalBatch",
    "changeSchedule",
    "createSchedule",
    "endSchedule",
    "getSchedule",
    "listSchedules",
    "pauseSchedule",
    "resumeSchedule",
    "createAgent",
    "createApplication",
    "forbidStart",
    "getApplication",
    "getApplicationKey",
    "getKeySet",
    "issueApplicationKey",
    "issueKeySet",
    "listApplicationKeys",
    "listApplications",
    "listKeySets",
    "revokeApplication",
    "revokeApplicationKey",
    "revokeKeySet",
    "acceptTool",
    "activateAgent",
    "activateProposal",
    "addMessage",
    "answerConfirmation",
    "answerHandover",
    "answerInput",
    "applyChangeSet",
    "askAgent",
    "beginKeyProof",
    "cancelRun",
    "claimHandover",
    "closeHandover",
    "createTable",
    "createToolServer",
    "getToolServer",
    "importTool",
    "listServerTools",
    "listToolServers",
    "refreshToolServer",
    "retireToolServer",
    "createWebhook",
    "decideApproval",
    "decideApprovalBatch",
    "decideChangeSet",
    "decideExtension",
    "discardDeadLetter",
    "getDeadLetter",
    "listDeadLetters",
    "redriveDeadLetter",
    "compareEvaluations",
    "decideExample",
    "evaluateVersion",
    "exportExamples",
    "getEvaluation",
    "getEvaluationSet",
    "listEvaluations",
    "listEvaluationSets",
    "stopEvaluation",
    "deleteMemory",
    "getMemory",
    "listMemories",
    "releaseMemory",
    "revertMemory",
    "declareAbsence",
    "disableWebhook",
    "editApproval",
    "enableWebhook",
    "endAbsence",
    "exportTable",
    "foreseeCall",
    "foreseeDecision",
    "foreseeTable",
    "foreseeUndo",
    "getAbsence",
    "getAgent",
    "getApproval",
    "getApprovalBatch",
    "getBlastRadius",
    "getBreaker",
    "getCampaign",
    "getChangeSet",
    "getConfirmation",
    "getExtension",
    "getHandover",
    "getIndicators",
    "getInstallationPreflight",
    "getPreflight",
    "getProposal",
    "getReviewCapacity",
    "getRun",
    "getStop",
    "getTable",
    "getTableVersion",
    "getTool",
    "getToolMetrics",
    "getTrace",
    "getWebhook",
    "importTable",
    "killRun",
    "leaveOutOfApprovalBatch",
    "liftSwitch",
    "listAbsences",
    "listAgents",
    "listApprovalBatchItems",
    "listApprovalGroups",
    "listApprovals",
    "listCampaigns",
    "listChangeSets",
    "listChildren",
    "listConfirmations",
    "listEvents",
    "listExtensions",
    "listHandovers",
    "listProposals",
    "listRuns",
    "listSecondLooks",
    "listSteps",
    "listSwitches",
    "listTableVersions",
    "listTables",
    "listTools",
    "listWebhookDeliveries",
    "listWebhooks",
    "makeStop",
    "openApprovalBatch",
    "operateBreaker",
    "pauseRun",
    "previewEdit",
    "proposeChange",
    "publishTable",
    "recertifyAgent",
    "rejectProposal",
    "releaseHandover",
    "removeWebhook",
    "resumeRun",
    "retireTable",
    "revokeAgent",
    "rollBackProposal",
    "rotateWebhookSecret",
    "saveTableDraft",
    "sendBackChangeSet",
    "sendWebhookAgain",
    "settleOutcome",
    "startRun",
    "stepUp",
    "takeSecondLook",
    "tryWebhook",
    "undoRun",
    "replayRun",
    "forkRun",
    "compareFork",
    "updateAgent",
    "updateApplication",
    "vetoCall",
    "withdrawProposal",
}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in read_document()["paths"].values():
        yield from path.items()


def test_the_kept_document_is_the_present_one() -> None:
    assert KEPT.read_text() == render_yaml(), f"the API has changed: {REGENERATE}"


def test_the_document_is_valid_and_made_without_warnings() -> None:
    read_document.cache_clear()
    GENERATOR_STATS.reset()
    document = read_document()
    assert not GENERATOR_STATS
    assert document["openapi"] == "3.1.1"
    validate_schema(document)  # type: ignore[no-untyped-call]  # drf-spectacular is untyped


def test_operation_ids_do_not_change() -> None:
    assert {operation["operationId"] for _, operation in operations()} == OPERATIONS


def test_every_address_is_in_the_document() -> None:
    routed = sum(len(entry.url_patterns) for entry in api_patterns if hasattr(entry, "url_patterns"))
    assert len(read_document()["paths"]) == routed


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "406", "429"])
def test_every_operation_documents_its_refusals(status: str) -> None:
    for method, operation in operations():
        assert status in operation["responses"], operation["operationId"]
        assert operation["security"] == [{"apiKey": []}, {"consoleSession": []}]
        if method == "post":
            assert {"409", "413", "415", "422"} <= set(operation["responses"])


def test_bodies_admit_nothing_unknown() -> None:
    document = read_document()
    for _, operation in operations():
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            for name in names_of(schema, document["components"]["schemas"]):
                assert document["components"]["schemas"][name]["additionalProperties"] is False, name


def names_of(schema: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """Return the name of a body's schema, or of each of its kinds."""
    name = schema["$ref"].split("/")[-1]
    kinds = known[name].get("oneOf", ())
    return [found for kind in kinds for found in names_of(kind, known)] or [name]


def test_the_key_is_required_where_it_must_be() -> None:
    required = {
        operation["operationId"]
        for _, operation in operations()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "Idempotency-Key" and parameter.get("required")
    }
    deciding = {"decideApproval", "decideApprovalBatch", "editApproval", "askAgent"}
    deciding |= {
        "decideChangeSet",
        "sendBackChangeSet",
        "applyChangeSet",
        "answerConfirmation",
        "decideExtension",
    }
    assert required == {"startRun", "createSchedule", *deciding, "activateProposal", "rejectProposal"}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("json", "application/json"),
        ("json", "application/vnd.oai.openapi+json"),
        ("yaml", "application/yaml"),
    ],
)
def test_everybody_may_read_it(client: Client, name: str, media_type: str) -> None:
    answer = client.get(f"/api/v1/openapi.{name}", headers={"Accept": media_type})
    assert (answer.status_code, answer["Content-Type"]) == (200, media_type)
    assert yaml.safe_load(answer.content) == read_document()
    assert client.get(f"/api/v1/openapi.{name}", headers={"Accept": "*/*"}).status_code == 200
    refused = client.post(f"/api/v1/openapi.{name}")
    assert (refused.status_code, refused["Content-Type"]) == (405, "application/problem+json")
    assert refused.json()["code"] == "method_not_allowed"  # a problem is JSON where the answer would not be


def test_the_page_to_read_it_needs_no_inline_script(client: Client) -> None:
    answer = client.get("/api/v1/docs", headers={"Accept": "text/html"})
    page = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert page.count("<script") == page.count("<script src=")
    assert "<style" not in page
    assert "style=" not in page
