"""What governs money and runs, as changes that a second person may have to activate."""

from identities.changes import Verb, register_verb
from runs.changes.money import (
    BUDGET,
    PRICE,
    SET_BUDGET,
    SET_PRICE,
    carry_out_budget,
    carry_out_price,
    describe_budget,
    describe_price,
)
from runs.changes.publication import PUBLISH, PUBLISHER, carry_out_publication, describe_publication

__all__ = [
    "BUDGET",
    "PRICE",
    "PUBLISH",
    "PUBLISHER",
    "SET_BUDGET",
    "SET_PRICE",
    "describe_budget",
    "describe_price",
    "describe_publication",
    "register_verbs",
]


def register_verbs() -> None:
    """Let proposals of budgets, prices and publications be carried out."""
    register_verb(Verb(SET_BUDGET, "What a team or an agent may spend", carry_out_budget))
    register_verb(Verb(SET_PRICE, "What a model costs", carry_out_price))
    register_verb(Verb(PUBLISH, "How an agent behaves, and what its runs may spend", carry_out_publication))
