"""Functions that are called as their signature says: arguments turned, results expressed, a change called no more."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.tools.execution import make_call, make_spec
from tests.tools.functions import shop
from tests.tools.functions.shop import Address, Line, Method
from tools.adapters import python, signed
from tools.adapters.base import AdapterOptions
from tools.adapters.python import PythonAdapter
from tools.calls import Call
from tools.functions import describe_function, read_signature

HERE = shop.__name__
FULL: dict[str, Any] = {
    "order_id": "A-1",
    "amount": "1.50",
    "due": "2027-01-02",
    "lines": [["tea", 2]],
    "address": {"street": "Marktgasse 1"},
    "method": "bank",
    "extras": {"note": "thanks"},
}


@pytest.fixture
def adapter() -> PythonAdapter:
    shop.SEEN.clear()
    shop.SPENT.clear()
    return PythonAdapter(AdapterOptions(python_modules=(HERE,), python_threads=4))


def call_to(name: str, arguments: dict[str, Any], **config: object) -> Call:
    function = getattr(shop, name)
    read = read_signature(function)
    told = {"function": f"{HERE}:{name}", "signature": describe_function(function, read).digest}
    spec = make_spec(
        adapter="python",
        effect="irreversible",
        config={**told, **config},
        input_schema=read.input_schema,
        output_schema=read.output_schema,
    )
    return make_call(spec, arguments)


def test_arguments_are_what_the_hints_say_and_the_result_is_json(adapter: PythonAdapter) -> None:
    outcome = adapter.invoke(call_to("refund", FULL), timeout_s=5)
    assert (outcome.status, outcome.value) == (
        "succeeded",
        {
            "id": "00000000-0000-0000-0000-000000000007",
            "paid": "1.50",
            "at": "2027-01-02T00:00:00+00:00",
            "lines": [["tea", 2]],
        },
    )
    [seen] = shop.SEEN
    assert seen[:4] == ("A-1", Decimal("1.50"), date(2027, 1, 2), [Line("tea", 2)])
    assert seen[4:] == (Address("Marktgasse 1"), Method.BANK, "slow", {"note": "thanks"})


def test_without_a_signature_values_stay_json(adapter: PythonAdapter) -> None:
    call = make_call(make_spec(adapter="python", config={"function": f"{HERE}:refund"}), FULL)
    adapter.invoke(call, timeout_s=5)
    assert shop.SEEN[0][1] == "1.50"


@pytest.mark.parametrize("wrong", [{"amount": "0.00"}, {"due": "2027-02-30"}, {"amount": None}, {"more": 1}])
def test_what_the_hints_refuse_starts_nothing(adapter: PythonAdapter, wrong: dict[str, Any]) -> None:
    outcome = adapter.invoke(call_to("refund", {**FULL, **wrong}), timeout_s=5)
    assert (outcome.status, outcome.code, shop.SEEN) == ("failed", "bad_argument", [])


def test_a_result_of_another_type_may_have_had_its_effect(adapter: PythonAdapter) -> None:
    outcome = adapter.invoke(call_to("lie", {"left": 1}), timeout_s=5)
    assert (outcome.status, outcome.code) == ("unknown", "bad_output")


def test_a_read_back_says_what_the_function_returns(adapter: PythonAdapter) -> None:
    call = call_to("refund", FULL, read_back=f"{HERE}:find_refund")
    nothing = adapter.read_back(call, timeout_s=5)
    assert nothing is not None
    assert nothing.code == "not_executed"
    done = adapter.invoke(call, timeout_s=5)
    found = adapter.read_back(call, timeout_s=5)
    assert found is not None
    assert (found.status, found.value) == ("succeeded", done.value)


def test_a_function_that_is_another_one_is_not_called(
    adapter: PythonAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(signed, "send_now", lambda task, server, **_: asked.append((task, server)))
    origin = {"server": "0199c1c0-0000-7000-8000-000000000000", "operation": "refund", "digest": "0" * 64}
    call = call_to("refund", FULL, signature="0" * 64, origin=origin)
    outcome = adapter.invoke(call, timeout_s=5)
    assert (outcome.status, outcome.code, shop.SEEN) == ("failed", "definition_changed", [])
    applied = call_to("refund", FULL, signature="0" * 64)
    assert adapter.invoke(applied, timeout_s=5).code == "definition_changed"
    assert asked == [
        ("tools.recheck_server", origin["server"]),
        ("tools.recheck_function", str(applied.spec.tool_id)),
    ]

    def trust(config: object, function: object, arguments: dict[str, Any]) -> dict[str, Any]:
        return arguments

    monkeypatch.setattr(python, "convert", trust)  # mutant: whatever is there now is called
    adapter.invoke(call, timeout_s=5)
    assert shop.SEEN


def test_a_function_without_readable_hints_is_not_called(adapter: PythonAdapter) -> None:
    spec = make_spec(adapter="python", config={"function": f"{HERE}:guess", "signature": "0" * 64})
    assert (
        adapter.invoke(make_call(spec, {"anything": 1, "many": []}), timeout_s=5).code == "definition_changed"
    )


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"signature": "0" * 64}, "is not defined like that"),
        ({"signature": "x"}, "leave signature as an import wrote it"),
        ({"origin": {}}, "leave signature and origin"),
    ],
)
def test_a_signature_is_not_made_up(adapter: PythonAdapter, config: dict[str, Any], words: str) -> None:
    faults = adapter.check_config({"function": f"{HERE}:refund", **config})
    assert any(words in fault for fault in faults)
    assert adapter.check_config(call_to("refund", FULL).spec.config) == []
