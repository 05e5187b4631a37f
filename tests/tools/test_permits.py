"""Every way into execution but the one: no permit, a forged one, another's, a used one."""

from __future__ import annotations

import ast
import hmac
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from agentops.engine.breaker import Admission
from agentops.errors import PolicyDenied
from agentops.identifiers import new_id
from agentops.runtime.supervision import ROOT
from tests.runs.deeds import WORLD
from tests.tools.execution import make_call, make_spec
from tools import execution, permits
from tools.adapters.python import PythonAdapter
from tools.assessment import Assessment
from tools.authority import Decision, Reason, Verdict
from tools.breaker import Breaker
from tools.execution import execute
from tools.outcomes import Outcome
from tools.permits import Permit, issue_permit

HERE = "tests.runs.deeds"
DOCUMENTS = (
    "tools/services/documents.py"  # fetches what an interface is described by, and calls nothing of it
)
LISTING = "tools/services/listing.py"  # asks a server what it has, and calls nothing of that
ADMITTED = Admission(allowed=True, state="closed")


@pytest.fixture(autouse=True)
def _world(settings: Settings) -> Iterator[None]:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    WORLD.reset()
    permits._used.clear()
    yield
    WORLD.reset()


def assessed(verdict: Verdict = "ALLOW", *, digest: str = "d" * 64, **changes: Any) -> Assessment:
    spec = make_spec(
        name="refund",
        effect="reversible",
        adapter="python",
        config={"function": f"{HERE}:refund"},
        **changes.pop("spec", {}),
    )
    call = make_call(spec, {"order_id": "A-1"}, **changes)
    decision = Decision(verdict, "allowed", (Reason("agent", "granted", "granted"),))
    return Assessment(call, decision, digest, "", "", None, None, 600, False, "granted")


def attempt(assessment: Assessment, permit: Any) -> Outcome:
    return execute(assessment, permit, ADMITTED)[0]


def refused(assessment: Assessment, permit: Any) -> str:
    with pytest.raises(PolicyDenied) as denied:
        attempt(assessment, permit)
    assert WORLD.attempts == []
    return denied.value.code


def test_a_permit_lets_its_one_call_through() -> None:
    assessment = assessed()
    assert attempt(assessment, issue_permit(assessment)).status == "succeeded"
    assert WORLD.attempts == ["refund"]


def test_an_adapter_that_raises_leaves_an_outcome_and_gives_its_probe_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settled: list[Any] = []
    settle = Breaker.settle

    def watch(*arguments: Any, **changes: Any) -> Any:  # Any: as the breaker takes them
        settled.append(arguments[3:])
        return settle(*arguments, **changes)

    def overflow(*_: object, **__: object) -> Outcome:
        raise OverflowError

    monkeypatch.setattr(Breaker, "settle", watch)
    monkeypatch.setattr(PythonAdapter, "invoke", overflow)
    assessment = assessed()
    admitted = Admission(allowed=True, state="half_open", probe_token="probe")
    outcome = execute(assessment, issue_permit(assessment), admitted)[0]
    assert (outcome.status, outcome.code) == ("unknown", "tool_error")
    assert settled == [(False, "probe")]


@pytest.mark.parametrize("verdict", ["DENY", "REQUIRE_APPROVAL"])
def test_what_is_not_allowed_yields_none(verdict: Verdict) -> None:
    with pytest.raises(PolicyDenied):
        issue_permit(assessed(verdict))


def test_a_denial_yields_none_whatever_was_approved() -> None:
    with pytest.raises(PolicyDenied):
        issue_permit(assessed("DENY"), approval_id=new_id())
    issue_permit(assessed("REQUIRE_APPROVAL"), approval_id=new_id())


def test_a_call_that_was_refused_before_the_policy_yields_none() -> None:
    with pytest.raises(PolicyDenied):
        issue_permit(assessed(digest=""))


@pytest.mark.parametrize("permit", [None, "", 1, True, {"seal": "x"}, object()])
def test_no_permit(permit: object) -> None:
    assert refused(assessed(), permit) == "permit_does_not_fit"


@pytest.mark.parametrize("seal", ["", "0" * 64, "ä", "permit"])
def test_a_forged_one(seal: str) -> None:
    call = assessed().call
    assert refused(assessed(), Permit(call.key, call.attempt, None, seal)) == "permit_does_not_fit"


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "run-1:3:refund:2"},
        {"attempt": 2},
        {"run_id": UUID(int=9)},
        {"identity_id": UUID(int=9)},
        {"principal_subject": "bob"},
        {"principal_issuer": "https://elsewhere.example"},
        {"spec": {"digest": "e" * 64}},
        {"spec": {"version": 2}},
        {"spec": {"tool_id": UUID(int=9)}},
    ],
)
def test_one_of_another_call(changes: dict[str, Any]) -> None:
    assert refused(assessed(**changes), issue_permit(assessed())) == "permit_does_not_fit"


def test_one_of_another_assessment() -> None:
    assert refused(assessed(digest="e" * 64), issue_permit(assessed())) == "permit_does_not_fit"


def test_one_for_other_arguments() -> None:
    assessment = assessed()
    permit = issue_permit(assessment)
    other = replace(assessment, call=replace(assessment.call, arguments={"order_id": "A-2"}))
    assert refused(other, permit) == "permit_does_not_fit"
    assessment.call.arguments["order_id"] = "A-2"
    assert refused(assessment, permit) == "permit_does_not_fit"


def test_one_that_names_another_approval() -> None:
    assessment = assessed("REQUIRE_APPROVAL")
    permit = issue_permit(assessment, approval_id=new_id())
    assert refused(assessment, replace(permit, approval_id=new_id())) == "permit_does_not_fit"
    assert refused(assessment, replace(permit, approval_id=None)) == "permit_does_not_fit"


def test_a_used_one() -> None:
    assessment = assessed()
    permit = issue_permit(assessment)
    attempt(assessment, permit)
    with pytest.raises(PolicyDenied) as denied:
        attempt(assessment, permit)
    assert denied.value.code == "permit_used"
    with pytest.raises(PolicyDenied):
        attempt(assessment, issue_permit(assessment))
    assert WORLD.attempts == ["refund"]


def test_one_that_many_use_at_once() -> None:
    assessment = assessed()
    permit = issue_permit(assessment)
    barrier, codes = threading.Barrier(8), []

    def use() -> None:
        barrier.wait(20)
        try:
            codes.append(attempt(assessment, permit).code)
        except PolicyDenied as denied:
            codes.append(denied.code)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["ok", *["permit_used"] * 7]


def test_one_of_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assessment = assessed()
    permit = issue_permit(assessment)
    other = hmac.new(b"another process's own secret", digestmod="sha256")
    monkeypatch.setattr(permits, "_SEALING", other)
    assert refused(assessment, permit) == "permit_does_not_fit"


def test_what_the_trace_shows_of_a_permit_is_no_permit() -> None:
    assessment = assessed()
    permit = issue_permit(assessment)
    assert permit.reference not in permit.seal
    assert refused(assessment, replace(permit, seal=permit.reference)) == "permit_does_not_fit"


def test_without_the_permit_check_anything_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what all of the above stand on."""
    monkeypatch.setattr(execution, "use_permit", lambda permit, assessment: None)
    assert attempt(assessed("DENY"), None).status == "succeeded"
    assert WORLD.attempts == ["refund"]


# --- the source -------------------------------------------------------------------------------------------

PACKAGES = ("agentops", "approvals", "config", "identities", "runs", "tools")


@cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in paths]


def files_that_import(module: str) -> set[str]:
    """Return the files, outside of its own package, that import a module or something of it."""
    found = set()
    for name, tree in sources():
        if name.startswith(module.replace(".", "/")):
            continue
        for node in ast.walk(tree):
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                imported = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if any(each == module or each.startswith(f"{module}.") for each in imported):
                found.add(name)
    return found


def files_that_call(function: str) -> set[str]:
    """Return the files that call something by this name, as a name or as an attribute."""
    return {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and function in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
    }


def callees_of(function: str) -> set[tuple[str, str]]:
    """Return the files that call a method or a module's function by this name, with what they call it on."""
    return {
        (name, ast.unparse(node.func.value))
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == function
    }


@pytest.mark.authority
@pytest.mark.slow
def test_only_execution_reaches_the_adapters() -> None:
    """Checking a tool's configuration looks at an adapter too, and calls nothing on it but ``check_config``."""
    wire_only = "tools/credentials/providers/oauth.py"
    words_only = "tools/openapi/parameters.py"  # which headers are set for every call
    shown_only = "tools/showing.py"  # what would be sent, as text
    described_only = "tools/services/modules.py"  # what a function's signature says
    compared_only = "tools/services/functions.py"  # whether it still says what was accepted; it is not called
    only = {wire_only, words_only, described_only, compared_only}
    to_adapters = {"tools/execution.py", "tools/services/faults.py", *only}
    assert files_that_import("tools.adapters") - files_that_import("tools.adapters.mcp") == to_adapters
    assert shown_only in files_that_import("tools.adapters.mcp")
    assert files_that_call("ask_for_tools") == {LISTING}
    theirs = "agentops/demo/shop/app.py"  # the demo's shop, which calls what it serves
    assert files_that_call("call_tool") - {theirs} == {"tools/adapters/mcp/conversation.py"}
    of_adapters = ("/adapters/mcp/", "/adapters/a2a/")  # which send what the HTTP adapter sends
    others = {
        path
        for path in files_that_import("tools.adapters.http")
        if not any(package in path for package in of_adapters)
    }
    signed = "tools/adapters/signed.py"  # an adapter itself, which pins as the other does
    assert others == {wire_only, words_only, shown_only, signed, DOCUMENTS, "tools/services/origins.py"}
    over_the_wire = {
        path for path in files_that_import("tools.adapters.http.wire") if "/adapters/" not in path
    }
    assert over_the_wire == {wire_only, DOCUMENTS}
    assert files_that_call("get_adapter") == {"tools/execution.py", "tools/services/faults.py"}
    assert files_that_call("invoke") == {"tools/execution.py"}
    assert callees_of("read_back") == {
        ("runs/driver.py", "outcomes"),
        ("runs/actions/outcomes.py", "execution"),
        ("tools/execution.py", "adapter"),
    }


@pytest.mark.authority
@pytest.mark.slow
def test_only_execution_releases_credentials_and_only_a_request_shows_one() -> None:
    assert files_that_call("with_credential") == {"tools/execution.py"}
    assert files_that_call("open_lease") == {"tools/credentials/leasing.py"}
    assert files_that_call("header_line") == {"tools/adapters/http/request.py", LISTING}
    assert files_that_call("reveal") == set()


@pytest.mark.authority
@pytest.mark.slow
def test_only_the_gate_issues_permits_and_only_permits_makes_them() -> None:
    assert files_that_call("issue_permit") == {"approvals/gate.py"}
    assert files_that_call("Permit") == {"tools/permits.py"}
    assert files_that_call("use_permit") == {"tools/execution.py", "runs/delegation/calling.py"}
    assert files_that_call("Assessment") == {"tools/assessment.py"}


def test_only_the_driver_executes() -> None:
    calls = {
        name for name in files_that_import("tools.execution") if name.startswith(("runs/", "approvals/"))
    }
    assert calls == {
        "runs/actions/executing.py",
        "runs/actions/outcomes.py",
        "runs/delegation/calling.py",  # gives back what it was admitted for
        "runs/delegation/remote.py",  # tells agents elsewhere that nobody waits any more
        "runs/lookups/calling.py",
    }
