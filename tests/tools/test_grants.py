"""Grants and waivers: what may be granted, by whom, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from tests.cast import Cast, make_cast
from tests.factories import AgentFactory, GrantFactory, PersonFactory, ToolFactory, ToolVersionFactory
from tests.ledger import kinds_of, last_entry
from tools.models import Tool, ToolGrant
from tools.services import Terms, Waiver, revoke_grant, set_grant, sign_waiver

ALLOW = Terms("ALLOW")
ASK = Terms("REQUIRE_APPROVAL")
CAPPED = Terms("ALLOW_WITH_CAPS", caps=({"per": "day", "count": 10}, {"per": "call", "amount": "50.00"}))


@pytest.fixture
def reversible(cast: Cast) -> Tool:
    tool: Tool = ToolVersionFactory.create(tool__team=cast.team, tool__name="change_address").tool
    return tool


@pytest.fixture
def refund(cast: Cast) -> Tool:
    version = ToolVersionFactory.create(tool__team=cast.team, tool__name="refund", irreversible=True)
    tool: Tool = version.tool
    return tool


def may_use(cast: Cast, tool: Tool) -> bool:
    return bool(User.objects.get(pk=cast.agent.service_account_id).has_perm("use_tool", tool))


def test_a_change_is_a_new_version(cast: Cast, reversible: Tool) -> None:
    first = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=ALLOW)
    second = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=CAPPED)
    third = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=Terms("DENY"))

    assert [grant.version for grant in (first, second, third)] == [1, 2, 3]
    states = ToolGrant.objects.filter(tool=reversible).order_by("version").values_list("state", flat=True)
    assert list(states) == ["superseded", "superseded", "active"]
    assert kinds_of(cast.agent.id) == ["grant.set"] * 3
    assert last_entry(cast.agent.id).facts["decision"] == "DENY"


def test_same_terms_change_nothing(cast: Cast, reversible: Tool) -> None:
    first = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=CAPPED)
    again = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=CAPPED)

    assert again == first
    assert kinds_of(cast.agent.id) == ["grant.set"]


def test_object_permission_follows_the_grant(cast: Cast, reversible: Tool) -> None:
    assert not may_use(cast, reversible)
    grant = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=ALLOW)
    assert may_use(cast, reversible)
    set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=Terms("DENY"))
    assert not may_use(cast, reversible)
    grant = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=ASK)
    assert may_use(cast, reversible)
    revoke_grant(actor=cast.alice, grant=grant, reason="unused")
    assert not may_use(cast, reversible)
    assert last_entry(cast.agent.id).content == {"reason": "unused"}
    with pytest.raises(StateConflict):
        revoke_grant(actor=cast.alice, grant=grant)


@pytest.mark.parametrize("terms", [ALLOW, CAPPED])
def test_irreversible_needs_a_human(cast: Cast, refund: Tool, terms: Terms) -> None:
    for actor in (cast.alice, cast.ada):
        with pytest.raises(PolicyDenied, match="irreversible_needs_human"):
            set_grant(actor=actor, identity=cast.agent, tool=refund, terms=terms)
    assert not may_use(cast, refund)
    assert set_grant(actor=cast.alice, identity=cast.agent, tool=refund, terms=ASK).version == 1


@pytest.mark.parametrize(
    "terms",
    [
        Terms("PERHAPS"),
        Terms("ALLOW_WITH_CAPS"),
        Terms("ALLOW", caps=({"per": "day", "count": 1},)),
        replace(CAPPED, over_caps="ALLOW"),
        replace(ALLOW, approval_ttl_s=0),
        replace(ALLOW, veto_s=-1),
        replace(ALLOW, veto_s=604_801),
        replace(ALLOW, veto_s=True),
        replace(ALLOW, veto_s=1.5),  # type: ignore[arg-type]  # what people type
        *(
            replace(CAPPED, caps=(cap,))
            for cap in (
                {"per": "day"},
                {"per": "year", "count": 1},
                {"count": 1},
                {"per": "call", "count": 1},
                {"per": "day", "count": 0},
                {"per": "day", "count": -1},
                {"per": "day", "count": True},
                {"per": "day", "count": 1.5},
                {"per": "day", "amount": "0"},
                {"per": "day", "amount": "-1"},
                {"per": "day", "amount": "NaN"},
                {"per": "day", "amount": "Infinity"},
                {"per": "day", "amount": "0.00001"},
                {"per": "day", "amount": 5},
                {"per": "day", "amount": 5.0},
                {"per": "day", "amount": "1e400"},
                {"per": "day", "amount": "ten"},
                {"per": "day", "count": 1, "colour": "red"},
            )
        ),
    ],
    ids=str,
)
def test_faulty_terms_are_refused(cast: Cast, reversible: Tool, terms: Terms) -> None:
    with pytest.raises(ValidationFailed):
        set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=terms)
    assert not ToolGrant.objects.exists()


def test_terms_that_have_run_out_are_refused(cast: Cast, reversible: Tool) -> None:
    terms = replace(ALLOW, valid_until=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ValidationFailed, match="valid_until"):
        set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=terms)


def test_amount_caps_need_an_amount(cast: Cast) -> None:
    tool = ToolVersionFactory.create(tool__team=cast.team, amount_argument="").tool

    with pytest.raises(ValidationFailed, match="amount_argument"):
        set_grant(actor=cast.alice, identity=cast.agent, tool=tool, terms=CAPPED)


def test_outsiders_and_colleagues_without_the_right_are_refused(cast: Cast, reversible: Tool) -> None:
    grant = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=ALLOW)
    for actor in (cast.bob, cast.charlie, cast.agent.service_account, cast.application.service_account):
        with pytest.raises(PolicyDenied):
            set_grant(actor=actor, identity=cast.agent, tool=reversible, terms=CAPPED)
        with pytest.raises(PolicyDenied):
            revoke_grant(actor=actor, grant=grant)


def test_nothing_is_granted_across_teams_or_to_the_revoked(cast: Cast, reversible: Tool) -> None:
    foreign = ToolVersionFactory.create(tool__team=cast.other_team).tool
    revoked = AgentFactory.create(team=cast.team, state="revoked")
    empty = ToolFactory.create(team=cast.team)

    with pytest.raises(ValidationFailed, match="team"):
        set_grant(actor=cast.ada, identity=cast.agent, tool=foreign, terms=ALLOW)
    with pytest.raises(StateConflict, match="revoked"):
        set_grant(actor=cast.ada, identity=revoked, tool=reversible, terms=ALLOW)
    with pytest.raises(StateConflict, match="version"):
        set_grant(actor=cast.ada, identity=cast.agent, tool=empty, terms=ALLOW)


ROW: dict[str, Any] = {
    "version": 9,
    "decision": "ALLOW",
    "caps": [{"per": "day", "count": 99}, {"per": "call", "amount": "50.00"}],
    "over_caps": "REQUIRE_APPROVAL",
    "approval_ttl_s": 601,
    "veto_s": 1,
    "confirmation": True,
    "valid_until": timezone.now() + timedelta(days=999),
    "waived_version_digest": "e" * 64,
    "waiver_reason": "Nobody will notice.",
    "waiver_expires_at": timezone.now(),
    "created_at": timezone.now(),
}


def test_every_column_of_terms_is_in_the_table() -> None:
    """Whoever adds a column has to say here what may not be written over it."""
    written = {field.name for field in ToolGrant._meta.fields if not field.is_relation}
    assert written == set(ROW) | {"id", "state"}


@pytest.mark.parametrize(
    "change",
    [
        *(lambda rows, name=name: rows.update(**{name: ROW[name]}) for name in ROW),
        *(lambda rows, name=name: rows.update(**{name: ROW[name]}, state="revoked") for name in ROW),
        lambda rows: rows.update(created_by=None),
        lambda rows: rows.update(state="active"),
        lambda rows: rows.delete(),
    ],
)
def test_database_refuses_to_change_a_grant(
    cast: Cast, reversible: Tool, change: Callable[[Any], object]
) -> None:
    grant = set_grant(actor=cast.alice, identity=cast.agent, tool=reversible, terms=CAPPED)

    with pytest.raises((ProgrammingError, InternalError), match="immutable"), transaction.atomic():
        change(ToolGrant.objects.filter(pk=grant.pk))
    revoke_grant(actor=cast.alice, grant=grant)
    with pytest.raises((ProgrammingError, InternalError), match="immutable"), transaction.atomic():
        ToolGrant.objects.filter(pk=grant.pk).update(state="active")


# --- waivers -----------------------------------------------------------------------------------------


def waiver(days: int = 30) -> Waiver:
    return Waiver("Small goodwill refunds.", timezone.now().replace(microsecond=0) + timedelta(days=days))


def test_two_signatures_put_a_waiver_into_force(cast: Cast, refund: Tool) -> None:
    signed = waiver()
    owner = PersonFactory.create()
    agent = AgentFactory.create(team=cast.team, owner=owner)

    first = sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    assert first is None
    assert not ToolGrant.objects.exists()
    grant = sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)

    assert grant is not None
    assert (grant.waived_by, grant.countersigned_by) == (cast.alice, cast.ada)
    assert grant.waiver_expires_at == signed.expires_at
    assert grant.waived_version_digest == refund.versions.get().digest
    assert kinds_of(agent.id) == ["waiver.signed", "grant.set"]
    assert last_entry(agent.id).facts["waiver"]["signed_by"] == [str(cast.alice.id), str(cast.ada.id)]


@pytest.fixture
def agent(cast: Cast) -> Any:
    return AgentFactory.create(team=cast.team, owner=cast.bob)


def test_one_person_does_not_sign_twice(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    for _ in range(3):
        assert sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None
    assert kinds_of(agent.id) == ["waiver.signed"]


def test_signatures_are_for_the_very_same_terms(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)

    wider = replace(CAPPED, caps=({"per": "day", "count": 11}, {"per": "call", "amount": "50.00"}))
    longer = replace(signed, expires_at=signed.expires_at + timedelta(days=1))
    reworded = replace(signed, reason="All refunds.")
    for terms, other in [(wider, signed), (CAPPED, longer), (CAPPED, reworded)]:
        assert sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=terms, waiver=other) is None
    assert not ToolGrant.objects.exists()


def test_new_tool_version_voids_a_signature(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    ToolVersionFactory.create(tool=refund, irreversible=True)

    assert sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None


def test_a_new_version_of_the_tool_is_signed_anew(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    for actor in (cast.ada, cast.alice):
        sign_waiver(actor=actor, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    newer = ToolVersionFactory.create(tool=refund, irreversible=True)

    assert sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None
    grant = sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    assert grant is not None
    assert (grant.version, grant.waived_version_digest) == (2, newer.digest)


def test_signature_is_spent_with_the_grant(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    grant = sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    assert grant is not None
    again = sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    assert again == grant
    revoke_grant(actor=cast.alice, grant=grant)

    # Alice alone, on Ada's old signature:
    assert sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None


def test_signature_of_somebody_who_left_does_not_count(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)
    User.objects.filter(pk=cast.ada.pk).update(is_active=False)

    assert sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None


def test_signature_ages(cast: Cast, refund: Tool, agent: Any) -> None:
    signed = waiver()
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=CAPPED, waiver=signed)

    assert sign_waiver(actor=cast.alice, identity=agent, tool=refund, terms=CAPPED, waiver=signed) is None


@pytest.mark.parametrize(
    ("terms", "days"),
    [
        (ALLOW, 30),
        (replace(CAPPED, caps=({"per": "day", "count": 5},)), 30),
        (replace(CAPPED, caps=({"per": "day", "amount": "5"},)), 30),
        (CAPPED, 91),
        (CAPPED, -1),
    ],
)
def test_incomplete_waivers_are_refused(
    cast: Cast, refund: Tool, agent: Any, terms: Terms, days: int
) -> None:
    with pytest.raises(ValidationFailed, match="invalid_waiver"):
        sign_waiver(actor=cast.ada, identity=agent, tool=refund, terms=terms, waiver=waiver(days))


def test_waiver_without_a_reason_is_refused(cast: Cast, refund: Tool, agent: Any) -> None:
    for reason in ("", "   ", "x" * 301):
        with pytest.raises(ValidationFailed, match="reason"):
            sign_waiver(
                actor=cast.ada,
                identity=agent,
                tool=refund,
                terms=CAPPED,
                waiver=replace(waiver(), reason=reason),
            )


def test_owner_and_machines_sign_nothing(cast: Cast, refund: Tool) -> None:
    for actor in (cast.alice, cast.agent.service_account, cast.charlie, cast.bob):
        with pytest.raises(PolicyDenied):
            sign_waiver(actor=actor, identity=cast.agent, tool=refund, terms=CAPPED, waiver=waiver())


def test_database_refuses_a_waiver_of_one(cast: Cast, refund: Tool) -> None:
    fields = {"waived_by": cast.ada, "waiver_reason": "x", "waiver_expires_at": timezone.now()}
    for countersigned_by in (cast.ada, None):
        with pytest.raises(IntegrityError), transaction.atomic():
            GrantFactory.create(identity=cast.agent, tool=refund, countersigned_by=countersigned_by, **fields)


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_moment_come_one_after_the_other() -> None:
    cast = make_cast()
    tool = ToolVersionFactory.create(tool__team=cast.team).tool

    def grant(ttl: int) -> int:
        try:
            terms = replace(ASK, approval_ttl_s=ttl)
            return set_grant(actor=cast.alice, identity=cast.agent, tool=tool, terms=terms).version
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        versions = list(threads.map(grant, range(1, 17)))
    assert sorted(versions) == list(range(1, 17))
    assert ToolGrant.objects.filter(state="active").count() == 1
    assert kinds_of(cast.agent.id) == ["grant.set"] * 16
    assert may_use(cast, tool)
