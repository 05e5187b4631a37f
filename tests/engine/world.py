"""The world that a run can find: its limits, its tools, and how likely what may go wrong is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from agentops.engine import ENGINE_VERSION
from agentops.engine.budgets import Rates

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIFE = timedelta(hours=1)
RATES = Rates(Decimal(3), Decimal(15))
MODELS = {"plan": ("big", "spare"), "execute": ("small", "spare", "big")}
PRICES = {"big": Rates(Decimal(30), Decimal(90)), "small": RATES, "spare": Rates(Decimal(1), Decimal(20))}
TOOLS = ("look_up", "refund", "cancel", "ask_agent", "ask_user", "hand_over")
IDEMPOTENCY = ("honours_key", "read_back", "none")
EFFECTS = {"look_up": "read", "refund": "irreversible", "cancel": "reversible", "ask_agent": "read"}

Facts = dict[str, Any]  # Any: JSON


@dataclass(frozen=True)
class World:
    """How the world is minded: chances of what may go wrong, the run's limits, and the rules that it pins."""

    engine: int = ENGINE_VERSION
    steps: int = 6
    tokens: int = 20_000
    usd: Decimal = Decimal("0.5")
    seconds: int = 60
    repeat_limit: int = 3
    shared: tuple[str, ...] = ()
    crash: float = 0.1
    people: float = 0.15
    trouble: float = 0.3
    final: float = 0.2
    tool_calls: int = 4
    proposes: bool = False
    extensions: int = 0  # how often it may ask to go on at a limit of its own
    escalates: int = 0  # after so many steps in trouble
    demote_percent: int = 0
    crowded: float | None = None  # how likely a run is held back; None: it asks nobody


worlds = st.builds(
    World,
    engine=st.integers(1, ENGINE_VERSION),
    steps=st.integers(1, 8),
    tokens=st.integers(100, 60_000),
    usd=st.decimals("0.001", "0.5", places=4),
    seconds=st.integers(1, 120),
    repeat_limit=st.integers(2, 4),
    shared=st.sampled_from([(), ("usd",), ("steps", "tokens", "usd")]),
    crash=st.sampled_from([0.0, 0.1, 0.6]),
    people=st.sampled_from([0.0, 0.15, 0.6]),
    trouble=st.sampled_from([0.0, 0.3, 0.9]),
    final=st.sampled_from([0.0, 0.2, 0.6]),
    tool_calls=st.integers(1, 5),
    proposes=st.sampled_from([False, False, True]),
    extensions=st.sampled_from([0, 1, 3]),
    escalates=st.sampled_from([0, 1, 2]),
    demote_percent=st.sampled_from([0, 20, 100]),
    crowded=st.sampled_from([None, 0.0, 0.6]),
)
