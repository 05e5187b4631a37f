"""Rules about whose yes a call takes: which fits, who may set one, and what cannot be said."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.contrib.postgres.functions import TransactionNow
from django.db import ProgrammingError, transaction
from hypothesis import given
from hypothesis import strategies as st

from agentops.errors import PolicyDenied, ValidationFailed
from approvals.governing import SET_RULE, Ruling, read_ruling, set_approval_rule
from approvals.models import ApprovalRule
from approvals.rules import Asked, find_rule, fits, tell
from identities.changes import SecondPersonNeeded, activate, propose, seconded
from tests.approvals.bending import unguarded
from tests.cast import Cast
from tests.factories import ToolVersionFactory
from tests.ledger import last_entry
from tools.models import Tool

TOOL, AGENT = UUID(int=1), UUID(int=2)
ASKED = Asked(TOOL, "irreversible", AGENT, Decimal(500), "USD", is_doubtful=True)
ONE: dict[str, Any] = {"needed": 1}


def rule(place: int = 1, **values: Any) -> ApprovalRule:
    return ApprovalRule(place=place, name=f"rule {place}", stages=[ONE], **values)


# --- which rule fits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "other"),
    [
        ({"tool_id": TOOL}, replace(ASKED, tool_id=UUID(int=9))),
        ({"effect": "irreversible"}, replace(ASKED, effect="reversible")),
        ({"identity_id": AGENT}, replace(ASKED, identity_id=UUID(int=9))),
        ({"min_amount": Decimal(500), "currency": "USD"}, replace(ASKED, amount=Decimal("499.99"))),
        ({"min_amount": Decimal(500), "currency": "USD"}, replace(ASKED, currency="EUR")),
        ({"min_amount": Decimal(500), "currency": "USD"}, replace(ASKED, amount=None)),
        ({"doubtful": True}, replace(ASKED, is_doubtful=False)),
    ],
    ids=str,
)
def test_each_condition_counts_by_itself(values: dict[str, Any], other: Asked) -> None:
    assert fits(rule(**values), ASKED)
    assert not fits(rule(**values), other)
    assert fits(rule(), other)


def test_a_currency_in_other_letters_is_the_same_one() -> None:
    """Else a rule would stand there and never count."""
    assert fits(rule(min_amount=Decimal(500), currency="usd"), ASKED)


@pytest.mark.parametrize("text", ["a lot", "", "1,5", "1 2"])
def test_an_amount_that_is_no_number_is_refused_with_a_word(text: str) -> None:
    with pytest.raises(ValidationFailed):
        read_ruling({"name": "x", "stages": [ONE], "min_amount": text, "currency": "USD"})


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "tool_id": st.sampled_from([TOOL, UUID(int=9)]),
        "effect": st.sampled_from(["reversible", "irreversible"]),
        "identity_id": st.sampled_from([AGENT, UUID(int=9)]),
        "doubtful": st.booleans(),
    },
)


@given(listed=st.lists(CONDITIONS, max_size=5), doubtful=st.booleans())
def test_the_first_that_fits_counts_whatever_order_they_are_read_in(
    listed: list[dict[str, Any]], doubtful: bool
) -> None:
    rules = [rule(place, **values) for place, values in enumerate(listed, start=1)]
    asked = replace(ASKED, is_doubtful=doubtful)
    fitting = [each.place for each in rules if fits(each, asked)]
    found = find_rule(rules[::-1], asked)
    assert (found.place if found else None) == min(fitting, default=None)


def test_it_says_why_it_fits() -> None:
    said = tell(rule(2, effect="irreversible", min_amount=Decimal("500.00"), currency="USD", doubtful=True))
    assert said == (
        "rule 2, rule 2: its effect is irreversible, it moves 500.00 USD or more, "
        "a value is from where nobody has vouched for it"
    )
    assert tell(rule()) == "rule 1, rule 1: it fits every call"


# --- setting one -------------------------------------------------------------------------------------------


@pytest.fixture
def tool(cast: Cast) -> Tool:
    found: Tool = ToolVersionFactory.create(tool__team=cast.team, irreversible=True).tool
    return found


def two_of(group: str | None = None, **changes: Any) -> Ruling:
    return Ruling("Two", ({"needed": 2, "group": group},), **changes)


def put(cast: Cast, ruling: Ruling | None, place: int = 1) -> ApprovalRule | None:
    """Have Ada set a rule, and Alice sign it."""
    with seconded(cast.alice):
        return set_approval_rule(actor=cast.ada, team=cast.team, place=place, ruling=ruling)


@pytest.mark.django_db
def test_a_rule_behind_all_others_takes_one_person_and_any_other_two(governed: Cast) -> None:
    first = set_approval_rule(actor=governed.ada, team=governed.team, place=2, ruling=two_of())
    assert first is not None
    assert last_entry(governed.team.pk).kind == "approval_rule.set"
    assert set_approval_rule(actor=governed.ada, team=governed.team, place=3, ruling=two_of())
    for place, ruling in (
        (1, two_of()),
        (2, two_of(doubtful=True)),
        (3, None),
        (3, two_of(reason_required=True)),
    ):
        with pytest.raises(SecondPersonNeeded):
            set_approval_rule(actor=governed.ada, team=governed.team, place=place, ruling=ruling)
    assert list(ApprovalRule.objects.standing().values_list("place", flat=True)) == [2, 3]
    assert set_approval_rule(actor=governed.ada, team=governed.team, place=2, ruling=two_of()) == first


@pytest.mark.django_db
def test_a_change_ends_the_row_and_adds_another(cast: Cast) -> None:
    before = put(cast, two_of())
    after = put(cast, two_of(reason_required=True))
    assert (before is not None, after is not None, before != after) == (True, True, True)
    assert put(cast, None) is None
    assert not ApprovalRule.objects.standing().exists()
    assert ApprovalRule.objects.count() == 2


@pytest.mark.django_db
def test_a_proposal_is_activated_by_a_second_person_and_rolled_back(governed: Cast, tool: Tool) -> None:
    put(governed, two_of())
    ruling = {"name": "One", "stages": [ONE], "tool_id": str(tool.pk)}
    arguments = {"team": str(governed.team.pk), "place": 1, "rule": ruling}
    proposal = propose(actor=governed.ada, verb=SET_RULE, arguments=arguments)
    with pytest.raises(PolicyDenied):
        activate(actor=governed.ada, proposal=proposal, second_factor=True)
    activate(actor=governed.alice, proposal=proposal, second_factor=True)
    standing = ApprovalRule.objects.standing().get()
    assert (standing.name, standing.tool) == ("One", tool)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "ruling",
    [
        Ruling(" ", (ONE,)),
        Ruling("x" * 81, (ONE,)),
        Ruling("x", ()),
        Ruling("x", (ONE,) * 6),
        Ruling("x", ({"needed": 0},)),
        Ruling("x", ({"needed": 11},)),
        Ruling("x", ({"needed": True},)),
        Ruling("x", ({"needed": 1, "who": "me"},)),
        Ruling("x", ("everybody",)),  # type: ignore[arg-type]  # what people type
        Ruling("x", ({"needed": 1, "group": "nobody knows it"},)),
        Ruling("x", ({"needed": 1, "escalate": [{"after_s": 60, "group": "finance"}]},)),
        Ruling("x", ({"needed": 1, "group": "finance", "escalate": [{"after_s": 0, "group": "finance"}]},)),
        Ruling("x", ({"needed": 1, "group": "finance", "escalate": [{"after_s": 60}]},)),
        Ruling("x", ({"needed": 1, "group": "finance", "escalate": [{"after_s": 60, "group": "gone"}]},)),
        Ruling("x", ({"needed": 1, "group": "finance", "escalate": "soon"},)),
        Ruling(
            "x",
            (
                {
                    "needed": 1,
                    "group": "finance",
                    "escalate": [{"after_s": 60, "group": "finance"}, {"after_s": 60, "group": "finance"}],
                },
            ),
        ),
        Ruling("x", (ONE,), effect="harmless"),
        Ruling("x", (ONE,), factor="trust"),
        Ruling("x", (ONE,), min_amount=Decimal(5)),
        Ruling("x", (ONE,), currency="USD"),
        Ruling("x", (ONE,), min_amount=Decimal(0), currency="USD"),
        *(
            Ruling("x", (ONE,), min_amount=Decimal(text), currency="USD")
            for text in ("NaN", "Infinity", "0.00001", "1e13")
        ),
        Ruling("x", (ONE,), min_amount=Decimal(5), currency=" "),
        Ruling("x", (ONE,), min_amount=Decimal(5), currency="far too long"),
        Ruling("x", ({"needed": 1, "group": 7},)),
        Ruling("x", (ONE,), tool=UUID(int=9)),
        Ruling("x", (ONE,), identity=UUID(int=9)),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused(cast: Cast, ruling: Ruling) -> None:
    Group.objects.get_or_create(name="finance")
    with pytest.raises(ValidationFailed):
        put(cast, ruling)
    assert not ApprovalRule.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("place", [0, -1, 51, True, 1.0])
def test_a_place_is_a_number(cast: Cast, place: Any) -> None:
    with pytest.raises(ValidationFailed):
        put(cast, two_of(), place)


@pytest.mark.django_db
def test_another_teams_things_are_none(cast: Cast) -> None:
    foreign = ToolVersionFactory.create(tool__team=cast.other_team).tool
    with pytest.raises(ValidationFailed):
        put(cast, two_of(tool=foreign.pk))


@pytest.mark.django_db
def test_who_may_not(cast: Cast) -> None:
    for nobody in (cast.bob, cast.charlie, cast.fiona, cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            set_approval_rule(actor=nobody, team=cast.team, place=1, ruling=two_of())


@pytest.mark.django_db(transaction=True)
def test_what_was_signed_as_an_end_writes_no_rule(governed: Cast) -> None:
    """Nor does what was signed as one rule write another."""
    put(governed, two_of(), 1)
    put(governed, two_of(), 2)
    values = {"team": governed.team, "name": "Mine", "stages": [ONE], "created_by": governed.ada}
    for rule in (None, {"name": "Signed", "stages": [ONE]}):
        arguments = {"team": str(governed.team.pk), "place": 1, "rule": rule}
        proposal = propose(actor=governed.ada, verb=SET_RULE, arguments=arguments)
        with transaction.atomic():
            activate(actor=governed.alice, proposal=proposal, second_factor=True)
            ApprovalRule.objects.standing().filter(place=1).update(ended_at=TransactionNow())
            with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
                ApprovalRule.objects.create(place=1, **values)
            transaction.set_rollback(True)
        assert ApprovalRule.objects.standing().get(place=1).name == "Two"


@pytest.mark.django_db(transaction=True)
def test_the_database_refuses_what_was_written_past_the_verb(governed: Cast) -> None:
    """And the mutant: with the trigger off all of it is written."""
    put(governed, two_of(), 2)
    values = {"team": governed.team, "name": "Mine", "stages": [ONE], "created_by": governed.ada}
    standing = ApprovalRule.objects.standing()
    attacks = (
        lambda: ApprovalRule.objects.create(place=1, **values),
        lambda: ApprovalRule.objects.bulk_create([ApprovalRule(place=1, **values)]),
        lambda: standing.update(stages=[ONE]),
        lambda: standing.update(ended_at=TransactionNow()),
        lambda: standing.update(place=40),
        lambda: standing.delete(),
    )
    for attack in attacks:
        with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
            attack()
        with unguarded(), transaction.atomic():
            attack()
            transaction.set_rollback(True)
    assert ApprovalRule.objects.create(place=3, **values), "behind all others"
