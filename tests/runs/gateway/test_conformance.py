"""The conformance suite of MCP, run through the gateway to the server that it expects: what we offer is to conform.

That server stands behind the gateway as any other: taken over tool by tool, granted, each call in a run. What passes
is asserted by name, in both revisions, so that nothing is lost unseen; what does not is named in docs/gateway.md.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.runs.company import Company
from tests.runs.gateway.badge import badged
from tests.runs.gateway.fixtures import declared, serve_fixtures
from tests.runs.gateway.gateways import Gateway, serving
from tests.runs.gateway.npm import NODE, install
from tests.runs.gateway.served import take_over
from tools.services import ServerDefinition

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
TOOLS = {"list", "call-simple-text", "call-error", "call-image", "call-audio", "call-embedded-resource",
         "call-mixed-content", "call-with-progress"}  # fmt: skip
RESOURCES = {"list", "read-text", "read-binary", "templates-read"}
PROMPTS = {"list", "get-simple", "get-with-args", "get-embedded-resource", "get-with-image"}
OFFERED = {
    *(f"tools-{name}" for name in TOOLS),
    *(f"resources-{name}" for name in RESOURCES),
    *(f"prompts-{name}" for name in PROMPTS),
    "json-schema-2020-12",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
    "completion-complete",
}
# What is asked in the middle of a call, where whoever took the tool over has declared the form.
ASKED = {"basic-elicitation", "request-state", "multi-round", "non-tool-request", "result-type", "tampered-state",
         "ignore-extra-params", "missing-input-response", "validate-input"}  # fmt: skip
PASSING = {
    "2025-11-25": {
        *OFFERED,
        "server-initialize",
        "server-session-lifecycle",
        "ping",
        "server-sse-polling",
        "logging-set-level",
        "tools-call-with-logging",
    },
    "2026-07-28": {
        *OFFERED,
        "caching",
        "http-header-validation",
        "http-custom-header-server-validation",
        "sep-2164-resource-not-found",
        "server-stateless",
        *(f"input-required-result-{name}" for name in ASKED),
    },
}
# The suite counts this as passed whatever is offered: lists ask for nothing.
SAY_NOTHING = {"input-required-result-unsupported-methods"}
TASKS = ("tasks-capability-negotiation", "tasks-request-state-removal")
# These listen to a stream for a fixed moment, and fail when a busy machine says nothing within it.
BY_THE_CLOCK = {"ServerNoLogWithoutLogLevel", "HttpServerNoIndependentRequestsOnStream"}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the suite by its lock, or skip."""
    return install("conformance", tmp_path_factory.mktemp("conformance"))


@pytest.fixture
def expected(company: Company, settings: Settings) -> Iterator[Gateway]:
    """Provide the gateway to the server that the suite expects."""
    with serve_fixtures() as url:
        place = ServerDefinition("http", url=url, allow_private=True)
        take_over(company, "fixtures", place, asks=declared())
        company.publish(price=False, planner="external", principal_source="token", max_steps=400)
        with serving(company, settings) as gateway:
            yield gateway


def run_suite(place: Path, url: str, *options: str) -> dict[str, list[dict[str, Any]]]:  # Any: JSON
    """Return the checks of each scenario."""
    results = place / f"results{len(list(place.iterdir()))}"
    command = [str(NODE), SUITE, "server", "--url", url, "-o", str(results), *options]
    subprocess.run(command, cwd=place, capture_output=True, check=False, timeout=300)
    found = {}
    for each in results.iterdir():
        name = each.name.removeprefix("server-").rsplit("-2026-", 1)[0].rsplit("-2027-", 1)[0]
        found[name] = json.loads((each / "checks.json").read_text())
    return found


def failed(checks: list[dict[str, Any]]) -> list[str]:  # Any: JSON
    return [f"{each['name']}: {each.get('errorMessage')}" for each in checks if each["status"] == "FAILURE"]


def _names(failures: list[str]) -> set[str]:
    return {each.split(":")[0] for each in failures}


@pytest.mark.parametrize("revision", PASSING)
def test_what_is_offered_conforms(
    expected: Gateway, suite: Path, revision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with badged(expected.url, expected.headers()) as url:
        found = run_suite(suite, url, "--suite", "all", "--spec-version", revision)
    passed = {name for name, checks in found.items() if not _names(failed(checks)) - BY_THE_CLOCK}
    with capsys.disabled():
        empty = len(passed & SAY_NOTHING)
        print(
            f"\nMCP {revision}: {len(passed)} of {len(found)} scenarios ({empty} of them say nothing here);",
            end=" ",
        )
        print(f"not: {', '.join(sorted(found.keys() - passed))}")
    assert passed - SAY_NOTHING == PASSING[revision], {
        name: failed(found.get(name, [])) for name in passed ^ PASSING[revision]
    }


@pytest.mark.parametrize("scenario", TASKS)
def test_tasks_conform_as_far_as_people_decide(
    expected: Gateway, suite: Path, settings: Settings, scenario: str
) -> None:
    settings.GATEWAY_WAIT_S = 1.0  # what takes longer is a task
    with badged(expected.url, expected.headers()) as url:
        found = run_suite(suite, url, "--scenario", scenario)
    [checks] = found.values()
    assert (failed(checks), len(checks) > 2) == ([], True)
