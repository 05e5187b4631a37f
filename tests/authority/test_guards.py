"""What the database refuses, however it is written: a governed row that no second person activated."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import Error, IntegrityError, ProgrammingError, connection, models, transaction
from django.utils import timezone
from psycopg import sql

from identities.changes import Change, open_proposal, propose
from identities.models import ChangeProposal
from runs.models import AgentVersion
from tests.authority.governed import ADDITIONS, CHANGES, GOVERNED, REMOVALS, Governed, bulk_create, update
from tests.cast import Cast
from tests.factories import AgentVersionFactory, GrantFactory, ToolVersionFactory
from tools.models import ToolGrant
from tools.services.changes import describe_grant
from tools.services.terms import Terms

pytestmark = [pytest.mark.django_db, pytest.mark.authority, pytest.mark.slow]

Way = Callable[[Governed, models.Model], None]
WAYS = [
    pytest.param(one, way, id=f"{one}-{way.__name__}")
    for one in GOVERNED
    for way in (*CHANGES, *(() if one.may_go else REMOVALS), *(ADDITIONS if one.anew else ()))
]


def tries(way: Way, one: Governed, row: models.Model) -> None:
    with transaction.atomic():
        way(one, row)
        with connection.cursor() as cursor:  # some guards look at what there is at the commit
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def standing(request: pytest.FixtureRequest, cast: Cast) -> tuple[Governed, models.Model]:
    """Provide a governed row, made while one person was enough; from here on two are needed."""
    one: Governed = request.getfixturevalue("one")
    row = one.make(cast)
    request.getfixturevalue("governed")
    return one, one.rows.get(pk=row.pk)


@pytest.mark.parametrize(("one", "way"), WAYS)
def test_no_way_around_leads_to_a_looser_row(
    standing: tuple[Governed, models.Model], one: Governed, way: Way
) -> None:
    with pytest.raises(ProgrammingError, match=r"second person|immutable"):
        tries(way, *standing)


@pytest.fixture
def unguarded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Take the guard away for a test."""
    one: Governed = request.getfixturevalue("one")
    with without(one.table, f"{one.table}_governed"):
        yield


@contextmanager
def without(table: str, trigger: str) -> Iterator[None]:
    """Take a trigger away inside the block."""
    switch, names = "ALTER TABLE {} {} TRIGGER {}", (sql.Identifier(table), sql.Identifier(trigger))
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("SET lock_timeout = '10s'")
        for word in ("DISABLE", "ENABLE"):
            owner.execute(sql.SQL(switch).format(names[0], sql.SQL(word), names[1]))
            if word == "DISABLE":
                yield


@pytest.mark.django_db(transaction=True)  # an open transaction would keep the guard from coming back
@pytest.mark.parametrize("one", GOVERNED, ids=str)
def test_without_its_guard_the_looser_row_is_there(
    unguarded: None, standing: tuple[Governed, models.Model], one: Governed
) -> None:
    """The mutant: what refuses above is the guard that is named, and nothing else."""
    way = bulk_create if one.anew else update
    tries(way, *standing)
    assert one.rows.filter(**one.looser).exists()


# --- the guards of the proposals themselves -------------------------------------------------------------


@pytest.fixture
def waiting(governed: Cast) -> ChangeProposal:
    return propose(
        actor=governed.alice, verb="budget.set", arguments=budget_of(governed, max_usd="10"), reason="growth"
    )


def budget_of(cast: Cast, max_usd: str) -> dict[str, Any]:
    return {
        "team": str(cast.team.pk), "identity": None, "window": "day", "max_steps": None, "max_tokens": None,
        "max_usd": max_usd,
    }  # fmt: skip


FORGERIES: dict[str, dict[str, Any]] = {
    "activated by nobody": {"state": "activated"},
    "activated by its maker": {"state": "activated", "checker": "alice", "decided_at": "now"},
    "activated by a machine": {"state": "activated", "checker": "agent", "decided_at": "now"},
    "by another maker": {"maker": "ada"},
    "by another maker, decided": {
        "state": "activated",
        "checker": "bob",
        "decided_at": "now",
        "maker": "ada",
    },
    "something else": {"after": {"max_usd": "1000000"}},
    "something else, decided": {"state": "rejected", "after": {}},
    "of something else": {"subject": "elsewhere"},
    "decided, but waiting": {"checker": "bob"},
    "counting in another transaction": {"activated_in": 1},
    "later": {"expires_at": "now"},
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_a_proposal_is_decided_once_and_never_rewritten(
    waiting: ChangeProposal, governed: Cast, forgery: dict[str, Any]
) -> None:
    values = {name: read(governed, value) for name, value in forgery.items()}
    with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
        ChangeProposal.objects.filter(pk=waiting.pk).update(**values)


@pytest.mark.parametrize("state", ["activated", "rejected", "withdrawn", "expired", "outdated"])
def test_nothing_decided_comes_back_and_nothing_is_born_decided(
    waiting: ChangeProposal, governed: Cast, state: str
) -> None:
    born = ChangeProposal.objects.get(pk=waiting.pk)
    born.pk, born.state, born.checker, born.decided_at = None, state, governed.bob, timezone.now()
    with pytest.raises(ProgrammingError, match="refused"), transaction.atomic():
        ChangeProposal.objects.bulk_create([born])
    ChangeProposal.objects.filter(pk=waiting.pk).update(
        state=state, checker=governed.bob, decided_at=timezone.now()
    )
    for values in ({"state": "waiting"}, {"state": "activated"}, {"checker": governed.ada}):
        with pytest.raises(Error, match="refused"), transaction.atomic():
            ChangeProposal.objects.filter(pk=waiting.pk).update(**values)
    with pytest.raises(ProgrammingError, match="refused"), transaction.atomic():
        ChangeProposal.objects.filter(pk=waiting.pk).delete()


# What constraints refuse as well, so that it takes two mutants to let it through.
REFUSED_TWICE = {"activated by nobody", "activated by its maker"}


@pytest.mark.django_db(transaction=True)
def test_without_its_guard_a_proposal_is_rewritten_born_decided_and_gone(
    waiting: ChangeProposal, governed: Cast
) -> None:
    """The mutant: every forgery above is refused by this one guard."""
    with without("identities_changeproposal", "identities_changeproposal_decided_once"):
        for name, forgery in FORGERIES.items():
            if name in REFUSED_TWICE:
                continue
            with transaction.atomic():
                values = {name: read(governed, value) for name, value in forgery.items()}
                assert ChangeProposal.objects.filter(pk=waiting.pk).update(**values) == 1
                transaction.set_rollback(True)
        born = ChangeProposal.objects.get(pk=waiting.pk)
        born.pk, born.state, born.checker, born.decided_at = None, "activated", governed.bob, timezone.now()
        ChangeProposal.objects.bulk_create([born])
        assert ChangeProposal.objects.all().delete()[0] == 2


def read(cast: Cast, value: object) -> object:
    if value == "now":
        return timezone.now()
    if value == "agent":
        return cast.agent.service_account
    return getattr(cast, value) if isinstance(value, str) and hasattr(cast, value) else value


# --- what an activation opens, and for how long ---------------------------------------------------------


def test_an_activation_opens_its_own_row_only(governed: Cast) -> None:
    """Bob activated 'ask a person': neither other terms, nor another tool, nor another agent come along."""
    tool, other = (ToolVersionFactory.create(tool__team=governed.team).tool for _ in range(2))
    change = describe_grant(governed.agent, tool, Terms("REQUIRE_APPROVAL"), {}, None)
    sign(governed, change)
    terms = {"identity": governed.agent, "version": 1, "decision": "REQUIRE_APPROVAL"}
    for forged in (
        {"tool": tool, "decision": "ALLOW"},
        {"tool": other},
        {"tool": tool, "approval_ttl_s": 601},
        {"tool": tool, "veto_s": 1},
    ):
        with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
            ToolGrant.objects.create(**{**terms, **forged})
    assert ToolGrant.objects.create(**{**terms, "tool": tool}).version == 1


@pytest.mark.django_db(transaction=True)
def test_an_activation_counts_in_its_transaction_only(governed: Cast) -> None:
    tool = ToolVersionFactory.create(tool__team=governed.team).tool
    change = describe_grant(governed.agent, tool, Terms("REQUIRE_APPROVAL"), {}, None)
    with transaction.atomic():
        sign(governed, change)
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        GrantFactory.create(identity=governed.agent, tool=tool, decision="REQUIRE_APPROVAL")


def sign(cast: Cast, change: Change) -> None:
    proposal = open_proposal(cast.alice, change, "")
    ChangeProposal.objects.filter(pk=proposal.pk).update(
        state="activated", checker=cast.bob, decided_at=timezone.now()
    )


TIGHTER = (
    {"decision": "DENY"},
    {"decision": "REQUIRE_APPROVAL"},
    {"valid_until": "now"},
    {"approval_ttl_s": 60},
    {"veto_s": 60},
)
CAP = {"per": "day", "count": 3, "amount": "50.00"}
CAPS = [
    ([CAP], True), ([{**CAP, "count": 2}], True), ([CAP, {"per": "run", "count": 9}], True),
    ([{**CAP, "amount": "50.01"}], False), ([{"per": "day", "count": 3}], False), ([{**CAP, "per": "run"}], False),
    ([], False),
]  # fmt: skip


@pytest.mark.parametrize("terms", TIGHTER, ids=str)
def test_what_tightens_stays_with_one_person(governed: Cast, terms: dict[str, Any]) -> None:
    tool = allow(governed, "ALLOW")
    values = {"decision": "ALLOW", **{name: read(governed, value) for name, value in terms.items()}}
    assert ToolGrant.objects.create(
        identity=governed.agent, tool=tool, version=2, state="superseded", **values
    )


@pytest.mark.parametrize(
    ("before", "after", "loosens"), [(60, 59, True), (60, 0, True), (60, 60, False), (0, 9, False)]
)
def test_a_shorter_window_for_a_veto_takes_two(
    governed: Cast, before: int, after: int, loosens: bool
) -> None:
    tool = allow(governed, "ALLOW", veto_s=before)
    present = ToolGrant.objects.get(tool=tool)
    change = describe_grant(governed.agent, tool, Terms("ALLOW", veto_s=after), {}, present)
    assert change.loosening == (("veto_s",) if loosens else ())
    further = ToolGrant(identity=governed.agent, tool=tool, version=2, decision="ALLOW", veto_s=after)
    further.state = "superseded"
    try:
        with transaction.atomic():
            further.save(force_insert=True)
    except ProgrammingError:
        assert loosens
    else:
        assert not loosens


@pytest.mark.parametrize(("before", "after"), [(True, False), (True, True), (False, True), (False, False)])
def test_to_ask_the_end_user_no_more_takes_two(governed: Cast, before: bool, after: bool) -> None:
    loosens = before and not after
    tool = allow(governed, "ALLOW", confirmation=before)
    present = ToolGrant.objects.get(tool=tool)
    change = describe_grant(governed.agent, tool, Terms("ALLOW", confirmation=after), {}, present)
    assert change.loosening == (("confirmation",) if loosens else ())
    further = ToolGrant(
        identity=governed.agent,
        tool=tool,
        version=2,
        decision="ALLOW",
        confirmation=after,
        state="superseded",
    )
    try:
        with transaction.atomic():
            further.save(force_insert=True)
    except ProgrammingError:
        assert loosens
    else:
        assert not loosens


@pytest.mark.parametrize(
    ("changes", "loosens"),
    [
        ({"max_extensions": 1}, True),
        ({"extension_percent": 51}, True),
        ({"extension_percent": 49}, False),
        ({"redact": ["iban", "email", "card"]}, False),
        ({"redact": ["card"]}, True),
        ({"redact": []}, True),
        ({"memory": "all"}, True),
        ({"memory": "ask"}, False),
        ({"memory": ""}, False),
        ({}, False),
    ],
    ids=str,
)
def test_to_go_on_at_a_limit_more_often_take_less_out_of_prompts_or_remember_more_takes_two(
    governed: Cast, changes: dict[str, Any], loosens: bool
) -> None:
    """Without anybody's signature, and past the services: the trigger alone."""
    redacted = ["card", "email"]
    before = AgentVersionFactory.create(
        identity=governed.agent, published=True, redact=redacted, memory="auto"
    )
    AgentVersion.objects.filter(pk=before.pk).update(state="retired")
    draft = AgentVersionFactory.create(
        identity=governed.agent, **{"redact": redacted, "memory": "auto", **changes}
    )
    try:
        with transaction.atomic():
            AgentVersion.objects.filter(pk=draft.pk).update(state="published")
    except ProgrammingError:
        assert loosens
    else:
        assert not loosens


@pytest.mark.parametrize(("caps", "is_kept"), CAPS, ids=str)
def test_the_database_and_the_services_compare_caps_alike(
    governed: Cast, caps: list[dict[str, Any]], is_kept: bool
) -> None:
    tool = allow(governed, "ALLOW_WITH_CAPS", caps=[CAP])
    present = ToolGrant.objects.get(tool=tool)
    change = describe_grant(governed.agent, tool, Terms("ALLOW_WITH_CAPS", tuple(caps)), {}, present)
    assert bool(change.loosening) is not is_kept
    further = ToolGrant(identity=governed.agent, tool=tool, version=2, decision="ALLOW_WITH_CAPS", caps=caps)
    further.state = "superseded"
    try:
        with transaction.atomic():
            further.save(force_insert=True)
    except ProgrammingError:
        assert not is_kept
    else:
        assert is_kept


def allow(cast: Cast, decision: str, **terms: Any) -> Any:
    tool = ToolVersionFactory.create(tool__team=cast.team).tool
    more = {"veto_s": terms.get("veto_s", 0), "confirmation": terms.get("confirmation", False)}
    signed = Terms(decision, tuple(terms.get("caps", ())), **more)
    sign(cast, describe_grant(cast.agent, tool, signed, {}, None))
    GrantFactory.create(identity=cast.agent, tool=tool, decision=decision, **terms)
    return tool
