"""A company whose agent has a dear model for plans and small ones to carry them out, each with its own say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agentops.engine import events as e
from runs.models import Run
from runs.routing import breakers
from runs.routing.providers import find_target
from tests.factories import PriceFactory
from tests.runs.company import Company
from tests.runs.planner.provider import Conversation, Turn, reply
from tools.breaker import breaker

BIG, SMALL, SPARE = "big", "small", "spare"
PRICES = {BIG: (Decimal(10), Decimal(40)), SMALL: (Decimal(1), Decimal(4)), SPARE: (Decimal(2), Decimal(8))}
ROLES = {"plan": [BIG], "execute": [SMALL, SPARE]}
DOWN = reply({"error": {"message": "down"}}, 503)
BUSY = reply({"error": {"message": "slow down"}}, 429, retry_after="200")


@dataclass
class Models:
    """What each model answers: the next of its turns, or the next of all where it has none of its own."""

    company: Company
    own: dict[str, list[Turn]] = field(default_factory=dict)
    shared: list[Turn] = field(default_factory=list)

    def play(self, *turns: Turn, **own: Sequence[Turn]) -> None:
        """Have all models share some turns, and some answer with their own; of these the last goes on."""
        self.shared, self.own = list(turns), {name: list(given) for name, given in own.items()}
        self.company.play(self.answer)

    def answer(self, conversation: Conversation) -> None:
        model = self.company.asked()[-1]["model"]
        turns = self.own.get(model, self.shared)
        (turns.pop(0) if len(turns) > 1 else turns[0])(conversation)

    def asked(self) -> list[str]:
        """Return which models were asked, in order, as the provider heard it."""
        return [body["model"] for body in self.company.asked()]


def set_up(company: Company, **version: Any) -> Models:  # Any: fields of a version
    """Price the models, publish a version that names them, and return them."""
    add_prices()
    company.add_reads()
    company.publish(**{"model_roles": ROLES, **version})
    return Models(company)


def add_prices(**more: tuple[Decimal, Decimal]) -> None:
    for name, (into, out) in {**PRICES, **more}.items():
        PriceFactory.create(model=name, version=f"{name}-1", input_usd_per_mtok=into, output_usd_per_mtok=out)


def routes(company: Company, run: Run) -> list[tuple[str, str, str]]:
    """Return model, role and reason of each call of the planner."""
    asked = company.facts(run, e.MODEL_REQUESTED)
    return [(facts["model"], facts["role"], facts["why"]) for facts in asked]


def passed_over(company: Company, run: Run, kind: str = e.MODEL_REQUESTED) -> list[Mapping[str, str]]:
    """Return which models were passed over, and why, call by call."""
    told = company.facts(run, kind)
    return [{each["model"]: each["why"] for each in facts.get("passed_over", ())} for facts in told]


def trip(name: str) -> None:
    """Have a model fail so often that its breaker opens."""
    target, rules = find_target(name), breakers.breaker_settings()
    for _ in range(rules.consecutive_failures):
        breaker().record(target.breaker_id, rules, False)
    assert breakers.look_at(target).state == "open"
