from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from agentops.clock import lease_clock_s
from tests.suspending import needs_a_clock_that_goes_on, suspend_machine
from tests.tools.adapters import python_tools
from tests.tools.execution import TRACEPARENT, TRACESTATE, make_call, make_spec
from tools.adapters.base import AdapterOptions
from tools.adapters.python import PythonAdapter
from tools.calls import Call
from tools.execution import read_back

HERE = "tests.tools.adapters.python_tools"


@pytest.fixture
def adapter() -> PythonAdapter:
    return PythonAdapter(AdapterOptions(python_modules=(HERE,), python_threads=4))


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    python_tools.RELEASED.clear()
    python_tools.STARTED.clear()
    yield
    python_tools.RELEASED.set()


def call_to(
    function: str, arguments: dict[str, Any] | None = None, *, effect: str = "irreversible", **changes: Any
) -> Call:  # Any: JSON, and fields of several types
    config = {"function": f"{HERE}:{function}", "read_back": f"{HERE}:read_back"}
    spec = make_spec(
        adapter="python", effect=effect, config=config, output_schema=changes.pop("output_schema", None)
    )
    return make_call(spec, arguments, **changes)


def test_the_function_gets_its_arguments_by_name(adapter: PythonAdapter) -> None:
    outcome = adapter.invoke(call_to("add", {"left": 4}), timeout_s=5)
    assert (outcome.status, outcome.code, outcome.value) == ("succeeded", "ok", {"sum": 5})


def test_a_function_that_asks_for_the_call_gets_it(adapter: PythonAdapter) -> None:
    outcome = adapter.invoke(call_to("describe", {"order_id": "#W1"}, attempt=2), timeout_s=5)
    assert outcome.value == {
        "order_id": "#W1",
        "key": "run-1:3:get_order:0",
        "attempt": 2,
        "principal": "https://login.example|ann",
        "agent": "refunds-agent",
        "traceparent": TRACEPARENT,
        "tracestate": TRACESTATE,
    }


@pytest.mark.parametrize("arguments", [{}, {"left": 1, "wrong": 2}])
def test_arguments_that_do_not_fit_start_nothing(adapter: PythonAdapter, arguments: dict[str, int]) -> None:
    outcome = adapter.invoke(call_to("add", arguments), timeout_s=5)
    assert (outcome.status, outcome.code, outcome.retryable) == ("failed", "bad_argument", False)


def test_the_model_cannot_forge_the_call(adapter: PythonAdapter) -> None:
    forged = {"order_id": "#W1", "call": {"principal_subject": "bob"}}
    assert adapter.invoke(call_to("describe", forged), timeout_s=5).code == "bad_argument"


@pytest.mark.parametrize(
    ("kind", "read", "effect", "code", "counts"),
    [
        ("transient", ("failed", True), ("failed", True), "busy", True),
        ("permanent", ("failed", False), ("failed", False), "already_refunded", False),
        ("unknown", ("failed", True), ("unknown", True), "lost", True),
        ("base", ("failed", False), ("failed", False), "refused", False),
        ("denied", ("failed", False), ("unknown", True), "tool_error", True),
        ("bug", ("failed", False), ("unknown", True), "tool_error", True),
        ("connection", ("failed", True), ("unknown", True), "tool_error", True),
        ("exit", ("failed", False), ("unknown", True), "tool_error", True),
    ],
)
def test_what_an_exception_means(
    adapter: PythonAdapter,
    kind: str,
    read: tuple[str, bool],
    effect: tuple[str, bool],
    code: str,
    counts: bool,
) -> None:
    for name, expected in (("read", read), ("reversible", effect), ("irreversible", effect)):
        outcome = adapter.invoke(call_to("fail_with", {"kind": kind}, effect=name), timeout_s=5)
        assert (outcome.status, outcome.retryable) == expected
        assert (outcome.code, outcome.counts_against_breaker) == (code, counts)


def test_a_tools_own_words_are_passed_on_and_an_accidents_are_not(adapter: PythonAdapter) -> None:
    said = adapter.invoke(call_to("fail_with", {"kind": "transient"}), timeout_s=5)
    assert (said.detail, said.retry_after_s) == ("try later", 7.0)
    accident = adapter.invoke(call_to("fail_with", {"kind": "bug"}), timeout_s=5)
    assert "KeyError" in accident.detail
    assert "hunter2" not in accident.detail


@pytest.mark.parametrize(("kind", "value"), [("tuple", [1, 2]), ("number-keys", {"1": 2}), ("none", None)])
def test_results_become_plain_json(adapter: PythonAdapter, kind: str, value: object) -> None:
    outcome = adapter.invoke(call_to("answer", {"kind": kind}), timeout_s=5)
    assert (outcome.status, outcome.value) == ("succeeded", value)


@pytest.mark.parametrize("kind", ["nan", "decimal", "set", "big", "huge"])
@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_a_result_that_is_not_json_is_garbage(
    adapter: PythonAdapter, kind: str, effect: str, status: str
) -> None:
    outcome = adapter.invoke(call_to("answer", {"kind": kind}, effect=effect), timeout_s=5)
    assert (outcome.status, outcome.code, outcome.retryable) == (status, "bad_output", False)


def test_a_result_has_to_fit_the_promised_schema(adapter: PythonAdapter) -> None:
    promised = {"type": "object", "properties": {"sum": {"type": "string"}}}
    outcome = adapter.invoke(call_to("add", {"left": 1}, output_schema=promised), timeout_s=5)
    assert (outcome.status, outcome.code) == ("unknown", "bad_output")
    assert "/sum must be of type string" in outcome.detail


def test_the_tool_cannot_change_its_result_afterwards(adapter: PythonAdapter) -> None:
    outcome = adapter.invoke(call_to("keep_changing"), timeout_s=5)
    python_tools.KEPT["a"].append("later")
    assert outcome.value == {"a": [1]}


@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("reversible", "unknown")])
def test_a_function_that_does_not_return_in_time(adapter: PythonAdapter, effect: str, status: str) -> None:
    outcome = adapter.invoke(call_to("hang", effect=effect), timeout_s=0.02)
    assert (outcome.status, outcome.code, outcome.retryable) == (status, "timeout", True)
    assert outcome.counts_against_breaker
    assert outcome.latency_ms >= 20
    assert adapter.threads.stuck == 1


def test_too_many_stuck_functions_make_the_adapter_refuse_before_starting(adapter: PythonAdapter) -> None:
    for name in ("one", "two"):
        adapter.invoke(call_to("hang", {"name": name}), timeout_s=0.02)
    outcome = adapter.invoke(call_to("hang", {"name": "three"}), timeout_s=0.02)
    assert (outcome.status, outcome.code, outcome.retryable) == ("failed", "saturated", True)
    assert not outcome.counts_against_breaker, "it is this process that is unwell"
    assert python_tools.STARTED == ["one", "two"]


@needs_a_clock_that_goes_on
def test_no_function_is_started_after_the_machine_was_suspended(
    adapter: PythonAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_after = lease_clock_s() + 60
    suspend_machine(monkeypatch)
    outcome = adapter.invoke(call_to("add", {"left": 4}), timeout_s=5, not_after=not_after)
    assert (outcome.status, outcome.code) == ("failed", "too_late")


@pytest.mark.parametrize(
    ("subject", "status", "code"),
    [
        ("executed", "succeeded", "ok"),
        ("not-executed", "failed", "not_executed"),
        ("refused", "unknown", "forbidden"),
        ("busy", "unknown", "busy"),
        ("broken", "unknown", "tool_error"),
    ],
)
def test_read_back(settings: Settings, subject: str, status: str, code: str) -> None:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    outcome = read_back(call_to("hang", principal_subject=subject))
    assert outcome is not None
    assert (outcome.status, outcome.code) == (status, code)
    assert outcome.retryable is (code in ("not_executed", "busy", "tool_error"))


def test_a_read_back_that_cannot_be_made_proves_nothing(settings: Settings) -> None:
    settings.TOOLS_PYTHON_MODULES = []
    outcome = read_back(call_to("hang"))
    assert outcome is not None
    assert (outcome.status, outcome.code) == ("unknown", "bad_config")


def test_without_a_read_back_there_is_none(adapter: PythonAdapter) -> None:
    spec = make_spec(adapter="python", config={"function": f"{HERE}:add"})
    assert adapter.read_back(make_call(spec), timeout_s=5) is None


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (f"{HERE}:add", ""),
        ("os:system", "TOOLS_PYTHON_MODULES"),
        (f"{HERE}er:add", "TOOLS_PYTHON_MODULES"),
        (f"{HERE}:run", "defined in subprocess"),
        (f"{HERE}:missing", "cannot be imported (AttributeError)"),
        (f"{HERE}.missing:add", "cannot be imported (ModuleNotFoundError)"),
        (f"{HERE}:asynchronous", "synchronous function"),
        (f"{HERE}:Alias", "synchronous function"),
        (f"{HERE}:_private", "name a public function"),
        (f"{HERE}:KEPT.clear", "name a public function"),
        (f"{HERE}", "name a public function"),
        (["x"], "name a public function"),
        (None, "name a public function"),
    ],
)
def test_only_functions_of_allowed_modules(adapter: PythonAdapter, function: object, words: str) -> None:
    remedies = adapter.check_config({"function": function})
    assert [words in remedy for remedy in remedies] == ([True] if words else [])
    if words:
        outcome = adapter.invoke(make_call(make_spec(config={"function": function})), timeout_s=5)
        assert (outcome.status, outcome.code) == ("failed", "bad_config")


def test_a_configuration_names_a_function_and_nothing_unknown(adapter: PythonAdapter) -> None:
    assert adapter.check_config({"comand": "x"}) == [
        "remove 'comand': unknown",
        'add "function": "package.module:function"',
    ]
    assert adapter.check_config({"function": f"{HERE}:add", "read_back": "os:system"}) != []
