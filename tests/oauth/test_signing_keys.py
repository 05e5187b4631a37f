"""Keys that sign: published before they do, and until their last token has ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.sealing import SealRefused
from identities.models import SigningKey
from identities.oauth.signing_keys import PUBLISHED_AFTER, PUBLISHED_AHEAD, arrange, keeper
from identities.services import revoke_signing_key, rotate_signing_key
from tests.cast import Cast
from tests.ledger import kinds_of


def kids() -> set[str]:
    return {key["kid"] for key in Browser().get("/oauth/jwks").json()["keys"]}


def test_the_next_key_is_published_before_it_signs(cast: Cast) -> None:
    first = rotate_signing_key(actor=cast.ada)
    following = rotate_signing_key(actor=cast.ada, algorithm="RS256")
    assert kids() == {first.kid, following.kid}
    assert keeper.read().signing == first

    keys, starts = [first, following], following.signs_from
    assert following.signs_from - timezone.now() > PUBLISHED_AHEAD - timedelta(minutes=1)
    assert arrange(keys, starts).signing == following
    assert set(arrange(keys, starts).published) == {first, following}, "what it signed has not ended"
    assert arrange(keys, starts + PUBLISHED_AFTER).published == (following,)
    assert kinds_of(first.pk) == ["signing_key.made"]


def test_one_key_waits_at_a_time(cast: Cast) -> None:
    rotate_signing_key(actor=cast.ada)
    rotate_signing_key(actor=cast.ada)
    with pytest.raises(StateConflict, match="key_waiting"):
        rotate_signing_key(actor=cast.ada)
    with (
        pytest.raises(ValidationFailed),
        time_machine.travel(timezone.now() + timedelta(hours=1), tick=False),
    ):
        rotate_signing_key(actor=cast.ada, algorithm="HS256")


def test_the_last_key_that_is_revoked_has_a_successor_at_once(cast: Cast) -> None:
    first = rotate_signing_key(actor=cast.ada)
    revoke_signing_key(actor=cast.ada, key=first, reason="A laptop was lost.")

    assert keeper.read().signing is not None
    assert first.kid not in kids()
    with pytest.raises(StateConflict):
        revoke_signing_key(actor=cast.ada, key=first)


def test_only_superusers_touch_them(cast: Cast) -> None:
    key = rotate_signing_key(actor=cast.ada)
    for person in (cast.alice, cast.bob, cast.charlie, cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            rotate_signing_key(actor=person)
        with pytest.raises(PolicyDenied):
            revoke_signing_key(actor=person, key=key)


def test_a_private_key_opens_in_its_own_row_only(cast: Cast) -> None:
    first = rotate_signing_key(actor=cast.ada)
    moved = SigningKey(kid="another", sealed_private_jwk=first.sealed_private_jwk)
    with pytest.raises(SealRefused):
        keeper.unsealed(moved)
