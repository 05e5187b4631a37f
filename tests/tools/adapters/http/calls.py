"""Calls of HTTP tools, as tests of the adapter make and judge them."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import strategies as st

from tests.tools.execution import make_call, make_spec
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter
from tools.calls import Call
from tools.outcomes import Outcome

PATIENCE_S = 20.0  # far more than anything here takes; where time is the point, the test sets its own


def call_to(
    url: str,
    *,
    effect: str = "irreversible",
    method: str = "POST",
    arguments: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    **changes: Any,
) -> Call:  # Any: JSON, and fields of several types
    made = make_spec(
        effect=effect,
        config={"method": method, "url": url, "allow_private": True, **(config or {})},
        **(spec or {}),
    )
    return make_call(made, arguments, **changes)


def verdict(outcome: Outcome) -> tuple[str, str, bool, bool]:
    return outcome.status, outcome.code, outcome.retryable, outcome.counts_against_breaker


def described(server: RudeServer, adapter: HttpAdapter, call: Call) -> dict[str, Any]:
    """Return what the server saw of a call."""
    outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
    assert outcome.status == "succeeded", outcome
    return cast(dict[str, Any], outcome.value)


GOOD = {"method": "POST", "url": "https://shop.example/orders/{order_id}/cancel"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
