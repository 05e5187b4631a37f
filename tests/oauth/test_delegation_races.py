"""A hop that is taken back while something is being added below it."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from agentops.identifiers import new_id
from identities.models import Delegation
from identities.services import revoke_delegation
from identities.services.delegations import add_delegation
from tests.cast import Cast
from tests.locking import await_waiters, in_thread
from tests.oauth.clients import USER_ID, Caller, user_id

pytestmark = pytest.mark.django_db(transaction=True)


def below(parent: Delegation, agent: Caller) -> Delegation:
    """Return a hop that is not added yet."""
    return Delegation(
        id=new_id(), parent=parent, actor=agent.account, team=parent.team, principal=parent.principal,
        proof=parent.proof, audience="https://refunds.example/api", scope="tools:call",
        depth=parent.depth + 1, expires_at=parent.expires_at, receipt="x",
    )  # fmt: skip


@pytest.mark.parametrize("hops_between", [0, 1])
def test_what_is_added_meanwhile_is_revoked_too(
    cast: Cast, app: Caller, agent: Caller, second: Caller, hops_between: int
) -> None:
    for_agent = app.exchanged(user_id(), agent.client_id, USER_ID)
    root = last = Delegation.objects.get()
    if hops_between:
        agent.exchanged(for_agent, second.client_id)
        last = Delegation.objects.get(depth=2)

    with transaction.atomic():
        add_delegation(below(last, agent))
        revoking = in_thread(lambda: revoke_delegation(actor=cast.alice, delegation=root))
        await_waiters()
    revoking.join()

    assert not Delegation.objects.filter(revoked_at=None).exists()
    connection.close()
