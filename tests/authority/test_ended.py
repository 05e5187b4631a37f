"""What was taken back stays so, whoever writes the row: through the ORM, many at once, or as the application's role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, models, transaction
from django.utils import timezone

from identities.models import (
    AgentIdentity,
    ApiKey,
    Application,
    Credential,
    Delegation,
    KillSwitch,
    SigningKey,
    UsedIdentifier,
    User,
)
from identities.oauth.spending import drop_ended, is_spent, spend
from identities.services import (
    issue_api_key,
    issue_credential,
    lift_switch,
    revoke_agent,
    revoke_application,
    throw_switch,
)
from identities.services.credentials import new_client_secret, revoke_credential, rotate_credential
from identities.services.keys import revoke_api_key
from identities.services.signing_keys import ensure_signing_key, revoke_signing_key
from tests.authority.test_guards import without
from tests.cast import Cast

pytestmark = [pytest.mark.django_db, pytest.mark.authority, pytest.mark.slow]

Row = models.Model


@dataclass(frozen=True)
class Ended:
    """A row that was taken back, the columns that would bring it back, and the guard against that."""

    make: Callable[[Cast], Row]
    back: dict[str, Any]
    guard: str


def _agent(cast: Cast) -> Row:
    revoke_agent(actor=cast.alice, agent=cast.agent)
    return AgentIdentity.objects.get(pk=cast.agent.pk)


def _application(cast: Cast) -> Row:
    revoke_application(actor=cast.alice, application=cast.application)
    return Application.objects.get(pk=cast.application.pk)


def _credential(cast: Cast) -> Row:
    made = issue_credential(actor=cast.alice, owner=cast.agent.service_account, material=new_client_secret())
    return revoke_credential(actor=cast.alice, credential=made)


def _generation(cast: Cast) -> Row:
    account = cast.agent.service_account
    made = issue_credential(actor=cast.alice, owner=account, material=new_client_secret())
    revoke_credential(
        actor=cast.alice,
        credential=rotate_credential(actor=cast.alice, owner=account, material=new_client_secret()),
    )
    return Credential.objects.get(pk=made.pk)


def _api_key(cast: Cast) -> Row:
    key, _ = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="shop")
    revoke_api_key(actor=cast.alice, key=key)
    return ApiKey.objects.get(pk=key.pk)


def _delegation(cast: Cast) -> Row:
    return Delegation.objects.create(
        actor=cast.agent.service_account, team=cast.team, proof="self", audience="x", scope="api", depth=1,
        expires_at=timezone.now() + timedelta(minutes=5), revoked_at=timezone.now(), receipt="x",
    )  # fmt: skip


def _signing_key(cast: Cast) -> Row:
    ensure_signing_key()
    return revoke_signing_key(actor=cast.ada, key=SigningKey.objects.get())


def _account(cast: Cast) -> Row:
    revoke_agent(actor=cast.alice, agent=cast.agent)
    return User.objects.get(pk=cast.agent.service_account_id)


def _switch(cast: Cast) -> Row:
    return throw_switch(actor=cast.ada, scope="everything", target="", reason="Fire.")


def _used(cast: Cast) -> Row:
    spend(UsedIdentifier.Purpose.TOOL_CALL, "jti", until_s=int(timezone.now().timestamp()) + 60)
    return UsedIdentifier.objects.get()


ENDED: dict[str, Ended] = {
    "agent": Ended(_agent, {"state": "active"}, "state_final"),
    "agent, suspended": Ended(_agent, {"state": "suspended"}, "state_final"),
    "application": Ended(_application, {"state": "active"}, "state_final"),
    "credential": Ended(_credential, {"revoked_at": None}, "revoked_at_final"),
    "credential, later": Ended(
        _credential, {"revoked_at": timezone.now() + timedelta(days=9)}, "revoked_at_final"
    ),
    "generation": Ended(_generation, {"superseded_at": None}, "superseded_at_final"),
    "API key": Ended(_api_key, {"revoked_at": None}, "revoked_at_final"),
    "delegation": Ended(_delegation, {"revoked_at": None}, "revoked_at_final"),
    "signing key": Ended(_signing_key, {"revoked_at": None}, "revoked_at_final"),
    "epoch": Ended(_account, {"token_epoch": 0}, "epoch"),
    "switch, of somebody else": Ended(_switch, {"scope": "provider", "target": "null"}, "final"),
    "used identifier": Ended(_used, {"expires_at": timezone.now() - timedelta(days=1)}, "final"),
}


def by_save(row: Row, back: dict[str, Any]) -> None:
    for name, value in back.items():
        setattr(row, name, value)
    row.save()


def by_update(row: Row, back: dict[str, Any]) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(**back)


def by_sql(row: Row, back: dict[str, Any]) -> None:
    """Write as whoever has the application's role in a terminal does."""
    columns = ", ".join(f"{name} = %s" for name in back)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {row._meta.db_table} SET {columns} WHERE id = %s", [*back.values(), row.pk])  # noqa: S608  our own names


WAYS = (by_save, by_update, by_sql)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ENDED)
def test_what_was_taken_back_does_not_come_back(cast: Cast, name: str, way: Callable[..., None]) -> None:
    one = ENDED[name]
    row = one.make(cast)
    with pytest.raises(ProgrammingError, match="final"), transaction.atomic():
        way(row, one.back)
    row.refresh_from_db()
    assert all(getattr(row, column) != value for column, value in one.back.items())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ENDED)
def test_without_its_guard_it_would_be_back(cast: Cast, name: str) -> None:
    """The mutant: nothing else refuses it."""
    one = ENDED[name]
    row = one.make(cast)
    with without(row._meta.db_table, f"{row._meta.db_table}_{one.guard}"):
        by_update(row, one.back)
    row.refresh_from_db()
    assert all(getattr(row, column) == value for column, value in one.back.items())


@pytest.mark.parametrize("make", [_switch, _used, _credential, _delegation, _signing_key])
def test_nor_is_it_taken_off_the_record(cast: Cast, make: Callable[[Cast], Row]) -> None:
    row = make(cast)
    with pytest.raises(ProgrammingError, match="final"), transaction.atomic():
        type(row)._default_manager.filter(pk=row.pk).delete()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("make", "guard"),
    [
        (_switch, "final"),
        (_used, "final"),
        (_credential, "kept"),
        (_delegation, "kept"),
        (_signing_key, "kept"),
    ],
)
def test_without_its_guard_it_would_be_gone(cast: Cast, make: Callable[[Cast], Row], guard: str) -> None:
    row = make(cast)
    rows = type(row)._default_manager.filter(pk=row.pk)
    with without(row._meta.db_table, f"{row._meta.db_table}_{guard}"):
        rows.delete()
    assert not rows.exists()


def test_a_machine_lifts_no_switch(cast: Cast) -> None:
    row, machine = _switch(cast), cast.agent.service_account
    with pytest.raises(ProgrammingError, match="final"), transaction.atomic():
        by_update(row, {"lifted_at": timezone.now(), "lifted_by": machine})


def test_what_the_services_do_stays_possible(cast: Cast) -> None:
    switch = throw_switch(actor=cast.ada, scope="everything", target="", reason="Fire.")
    lift_switch(actor=cast.ada, switch=switch, reason="It was a drill.")
    assert not KillSwitch.objects.thrown().exists()
    spend(UsedIdentifier.Purpose.TOOL_CALL, "old", until_s=int(timezone.now().timestamp()) - 1)
    assert drop_ended(timezone.now()) == 1
    assert not is_spent(UsedIdentifier.Purpose.TOOL_CALL, "old")
