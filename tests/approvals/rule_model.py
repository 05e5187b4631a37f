"""Rules about whose yes a call takes, once more, as a reader of the page would put them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

TOOLS, AGENTS = ("pay", "post"), ("Clerk", "Porter")


@dataclass(frozen=True)
class Rule:
    """One row: what is None or empty fits every call."""

    tool: int | None = None
    effect: str = ""
    agent: int | None = None
    least: tuple[str, str] | None = None  # of this currency
    doubtful: bool = False
    factor: str = "any"
    reason: bool = False
    needed: int = 1

    def is_about(self, call: Call) -> bool:
        wanted = {
            "tool": self.tool is None or self.tool == call.tool,
            "effect": not self.effect or self.effect == call.effect,
            "agent": self.agent is None or self.agent == call.agent,
            "amount": self.least is None or call.moves(*self.least),
            "doubt": call.doubt if self.doubtful else True,
        }
        return False not in wanted.values()

    @property
    def words(self) -> str:
        told = []
        if self.tool is not None:
            told.append(f"the tool is {TOOLS[self.tool]}")
        if self.effect:
            told.append(f"its effect is {self.effect}")
        if self.agent is not None:
            told.append(f"the agent is {AGENTS[self.agent]}")
        if self.least:
            told.append(f"it moves {' '.join(self.least)} or more")
        if self.doubtful:
            told.append("a value is from where nobody has vouched for it")
        return ", ".join(told) if told else "it fits every call"


@dataclass(frozen=True)
class Call:
    """What people are asked about."""

    tool: int
    effect: str
    agent: int
    amount: str | None
    currency: str
    doubt: bool

    def moves(self, least: str, currency: str) -> bool:
        if self.amount is None or self.currency != currency:
            return False
        return Decimal(self.amount) >= Decimal(least)


@dataclass(frozen=True)
class Press:
    """How somebody says yes."""

    says_why: bool
    second_factor: bool
    signs: bool


def choose(rules: Sequence[Rule], call: Call) -> int | None:
    """Return the place of the rule that counts, from 1."""
    for place, rule in enumerate(rules, start=1):
        if rule.is_about(call):
            return place
    return None


def answer(rule: Rule, press: Press) -> str:
    """Return what becomes of a first yes: how the request stands, or why it is none."""
    if rule.reason and not press.says_why:
        return "reason_missing"
    if not press.second_factor:
        return "second_factor_required"
    if rule.factor == "key" and not press.signs:
        return "key_required"
    return "approved" if rule.needed == 1 else "waiting"
