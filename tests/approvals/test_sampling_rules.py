"""Sampling rules: what loosens takes two people, in the service and in the database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from agentops.errors import PolicyDenied, ValidationFailed
from approvals.models import SamplingRule
from approvals.sampling_rules import Sampling, find_looser, set_sampling_rule, tell_sampling
from identities import changes
from identities.changes import SecondPersonNeeded
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.ledger import last_entry

pytestmark = pytest.mark.django_db


def ask_two(cast: Cast) -> None:
    """Have it take two people to loosen a rule of the team, which tightens; in most tests one is enough."""
    changes.set_rule(actor=cast.ada, verb="sampling_rule.set", team=cast.team, needs="two_to_loosen")


def set_rule(cast: Cast, **values: Any) -> SamplingRule | None:
    fields: dict[str, Any] = {"at_least": 5, "percent": 10, **values}
    return set_sampling_rule(
        actor=cast.alice, team=cast.team, effect="reversible", sampling=Sampling(**fields)
    )


def test_a_rule_is_a_row_an_entry_and_a_seed_on_record(cast: Cast) -> None:
    made = set_rule(cast, max_amount=Decimal(50), currency="USD")
    assert made is not None
    assert set_rule(cast, max_amount=Decimal("50.00"), currency="USD") == made, (
        "the same again changes nothing"
    )
    entry = last_entry(cast.team.pk)
    assert (entry.kind, entry.actor, entry.facts["seed"]) == ("sampling_rule.set", cast.alice.pk, made.seed)
    assert len(made.seed) == 32
    again = set_rule(cast, at_least=6)
    assert again is not None
    assert again.seed != made.seed
    assert SamplingRule.objects.standing().get() == again
    assert set_sampling_rule(actor=cast.alice, team=cast.team, effect="reversible", sampling=None) is None
    assert not SamplingRule.objects.standing().exists()


BEFORE: dict[str, Any] = {"at_least": 5, "percent": 10, "max_amount": Decimal(50), "currency": "USD"}


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        (None, {}, True),
        ({}, None, False),
        ({}, {}, False),
        ({}, {"at_least": 4}, True),
        ({}, {"percent": 9}, True),
        ({}, {"at_least": 6, "percent": 11}, False),
        ({}, {"max_amount": Decimal(51)}, True),
        ({}, {"max_amount": Decimal(49)}, False),
        ({}, {"currency": "EUR"}, True),
        ({}, {"max_amount": None, "currency": ""}, False),
        ({"max_amount": None, "currency": ""}, {}, True),
    ],
)
def test_what_loosens(before: dict[str, Any] | None, after: dict[str, Any] | None, looser: bool) -> None:
    was = None if before is None else {**BEFORE, **before}
    then = None if after is None else {**BEFORE, **after}
    assert bool(find_looser(was, then)) is looser


def test_what_loosens_takes_two(cast: Cast) -> None:
    ask_two(cast)
    with pytest.raises(SecondPersonNeeded):
        set_rule(cast)
    with pytest.raises(DatabaseError, match="takes a second person"), transaction.atomic():
        SamplingRule.objects.create(
            team=cast.team, effect="reversible", at_least=1, percent=0, seed="5" * 32, created_by=cast.alice
        )


def test_the_database_lets_one_person_tighten(cast: Cast) -> None:
    set_rule(cast)
    ask_two(cast)
    assert set_rule(cast, at_least=9) is not None
    with pytest.raises(SecondPersonNeeded):
        set_rule(cast, at_least=8)
    assert set_sampling_rule(actor=cast.alice, team=cast.team, effect="reversible", sampling=None) is None


@pytest.mark.parametrize(
    "values",
    [
        {"at_least": 0}, {"at_least": 1_001}, {"at_least": True}, {"percent": -1}, {"percent": 101},
        {"max_amount": Decimal(5)}, {"currency": "USD"}, {"max_amount": Decimal(0), "currency": "USD"},
        {"max_amount": Decimal("1e13"), "currency": "USD"}, {"max_amount": Decimal(5), "currency": " USD"},
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(cast: Cast, values: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed, match="invalid_rule"):
        set_rule(cast, **values)
    with pytest.raises(ValidationFailed, match="invalid_rule"):
        set_sampling_rule(actor=cast.alice, team=cast.team, effect="read", sampling=Sampling(5, 10))


@pytest.mark.parametrize("who", ["bob", "charlie", "fiona"])
def test_an_outsider_sets_no_rule(cast: Cast, who: str) -> None:
    with pytest.raises(PolicyDenied):
        set_sampling_rule(
            actor=getattr(cast, who), team=cast.team, effect="reversible", sampling=Sampling(5, 10)
        )


def test_the_console_sets_and_ends_a_rule_in_plain_words(cast: Cast) -> None:
    client = sign_in(cast.alice)
    form = {"team": cast.team.pk, "effect": "reversible", "max_amount": "50", "currency": "USD", "at_least": "5",
            "percent": "10"}  # fmt: skip
    answer = client.post(page_of("approvals_samplingrule", "add"), form)
    rule = SamplingRule.objects.get()
    assert answer["Location"] == page_of("approvals_samplingrule", "change", rule.pk)
    told = (
        "reversible calls of less than 50.00 USD, or of nothing, none of them doubtful: at least 5 are opened, "
        "or 10 % if that is more"
    )
    assert tell_sampling(rule) == told
    assert told in text_of(client.get(page_of("approvals_samplingrule", "changelist")))
    act = {"action": "end", "_selected_action": [str(rule.pk)], "index": "0", "confirmed": "1", "reason": ""}
    client.post(page_of("approvals_samplingrule", "changelist"), act)
    assert not SamplingRule.objects.standing().exists()


def test_an_outsiders_form_sets_nothing(cast: Cast) -> None:
    form = {"team": cast.team.pk, "effect": "reversible", "at_least": "1", "percent": "0"}
    assert sign_in(cast.charlie).post(page_of("approvals_samplingrule", "add"), form).status_code == 422
    assert sign_in(cast.bob).get(page_of("approvals_samplingrule", "add")).status_code == 302
    assert not SamplingRule.objects.exists()
