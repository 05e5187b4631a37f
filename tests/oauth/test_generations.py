"""Generations of a key set, and the lock that an old one springs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.test import Client as Browser
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import Credential, User
from identities.oauth import standing
from identities.oauth.bearers import accept_bearer
from identities.oauth.compact import TokenRefused
from identities.oauth.standing import check_standing
from identities.oauth.tokens import read_token
from identities.services import (
    credentials,
    issue_credential,
    revoke_agent,
    revoke_credential,
    rotate_credential,
)
from identities.services.credentials import client_key, new_client_secret
from tests.cast import Cast
from tests.ledger import entries_of, kinds_of
from tests.oauth.clients import (
    API,
    ASSERTION_TYPE,
    USER_ID,
    Caller,
    assertion,
    give_key,
    give_secret,
    key_pair,
    post,
    user_id,
)
from tests.oauth.conftest import RESOURCE


def rotate(cast: Cast, caller: Caller) -> Caller:
    """Return the client with its next secret."""
    material = new_client_secret()
    rotate_credential(actor=cast.alice, owner=caller.account, material=material)
    return replace(caller, secret=material.plaintext)


def status(caller: Caller) -> int:
    return caller.post(grant_type="client_credentials", audience=RESOURCE).status_code


def state_of(cast: Cast) -> str:
    cast.agent.refresh_from_db()
    return cast.agent.state


def test_the_old_generation_works_until_the_new_one_is_used(
    cast: Cast, agent: Caller, resource: Caller
) -> None:
    new = rotate(cast, agent)

    assert status(agent) == 200, "a deployment takes its time"
    assert status(new) == 200
    assert status(agent) == 401


def test_the_old_generation_works_for_an_hour_at_most(cast: Cast, agent: Caller, resource: Caller) -> None:
    new, rotated = rotate(cast, agent), timezone.now()

    with time_machine.travel(rotated + timedelta(minutes=59), tick=False):
        assert status(agent) == 200
    with time_machine.travel(rotated + timedelta(minutes=61), tick=False):
        assert status(agent) == 401
        assert status(new) == 401, "locked"


def test_an_old_generation_that_comes_back_locks_the_agent(
    cast: Cast, agent: Caller, resource: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    new = rotate(cast, agent)
    status(new)

    answer = agent.post(grant_type="client_credentials", audience=RESOURCE)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert state_of(cast) == "suspended"
    assert {"identity.locked", "agent.suspended", "token.refused"} <= set(kinds_of(cast.agent.pk))
    assert "is locked: generation 1" in caplog.text
    assert status(new) == 401, "the new generation is locked with it"
    assert Credential.objects.get(owner=agent.account, generation=1).misused_at is not None


def test_an_application_is_locked_until_it_gets_another_key_set(
    cast: Cast, app: Caller, resource: Caller
) -> None:
    new = rotate(cast, app)
    token = new.token(RESOURCE)
    assert status(app) == 401

    assert status(new) == 401
    assert resource.post("/oauth/introspect", token=token).json() == {"active": False}
    assert status(give_secret(cast.alice, User.objects.get(pk=app.account.pk))) == 200


def test_an_old_key_locks_only_with_its_signature(cast: Cast, resource: Caller) -> None:
    account, first, second = cast.agent.service_account, key_pair("first", "OKP"), key_pair("next", "OKP")
    give_key(cast.alice, account, first)
    material = client_key(second.as_dict(private=False))
    rotate_credential(actor=cast.alice, owner=account, material=material)

    def present(text: str) -> int:
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
        return post(
            Browser(), "/oauth/token", grant_type="client_credentials", audience=RESOURCE, **form
        ).status_code

    assert present(assertion(account.username, second, alg="EdDSA")) == 200
    forged = assertion(account.username, key_pair("thief", "OKP"), alg="EdDSA", header={"kid": "first"})
    assert (present(forged), state_of(cast)) == (401, "active"), "whoever knows a key's id locks nobody"
    assert (present(assertion(account.username, first, alg="EdDSA")), state_of(cast)) == (401, "suspended")


def test_a_revoked_generation_locks_nobody(cast: Cast, agent: Caller, resource: Caller) -> None:
    revoke_credential(actor=cast.alice, credential=Credential.objects.get(owner=agent.account))

    assert (status(agent), state_of(cast)) == (401, "active")
    assert [entry.kind for entry in entries_of(cast.agent.pk)][:2] == [
        "credential.issued",
        "credential.revoked",
    ]


def test_a_key_belongs_to_one_client_for_good(cast: Cast, agent: Caller) -> None:
    key = key_pair("shared", "OKP")
    give_key(cast.alice, cast.application.service_account, key)

    with pytest.raises(StateConflict):
        rotate_credential(
            actor=cast.alice, owner=agent.account, material=client_key(key.as_dict(private=False))
        )


def test_there_is_one_current_generation(cast: Cast, agent: Caller) -> None:
    with pytest.raises(StateConflict, match="has_credential"):
        issue_credential(actor=cast.alice, owner=agent.account, material=new_client_secret())
    with pytest.raises(StateConflict, match="no_credential"):
        rotate_credential(
            actor=cast.alice, owner=cast.application.service_account, material=new_client_secret()
        )


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
def test_others_get_nobody_a_key(cast: Cast, agent: Caller, name: str) -> None:
    with pytest.raises(PolicyDenied):
        rotate_credential(actor=getattr(cast, name), owner=agent.account, material=new_client_secret())
    with pytest.raises(PolicyDenied):
        revoke_credential(actor=getattr(cast, name), credential=Credential.objects.get(owner=agent.account))


def test_the_dead_and_people_get_none(cast: Cast) -> None:
    revoke_agent(actor=cast.alice, agent=cast.agent)
    with pytest.raises(StateConflict):
        issue_credential(actor=cast.alice, owner=cast.agent.service_account, material=new_client_secret())
    with pytest.raises(ValidationFailed):
        issue_credential(actor=cast.ada, owner=cast.bob, material=new_client_secret())


def test_a_secret_is_not_kept(cast: Cast, agent: Caller) -> None:
    kept = Credential.objects.filter(owner=agent.account).values().get()

    assert agent.secret.startswith("aos_")
    assert agent.secret.removeprefix("aos_") not in str(kept)
    assert agent.secret not in str(entries_of(cast.agent.pk))


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": ["EC"], "crv": "P-256"},
        key_pair("own", "EC").as_dict(private=True),
        {**key_pair("own", "EC").as_dict(private=False), "use": "enc"},
        {**key_pair("own", "EC").as_dict(private=False), "alg": "HS256"},
        {**key_pair("own", "EC").as_dict(private=False), "kid": 7},
    ],
)
def test_a_key_of_another_kind_is_refused(jwk: dict[str, object]) -> None:
    with pytest.raises(ValidationFailed):
        client_key(jwk)


# --- a key set that is taken back takes with it what it was given ---------------------------------------------


def given(app: Caller, agent: Caller) -> list[str]:
    """Return tokens of an application's own key set, and what an agent made of what it passed on."""
    for_agent = app.exchanged(user_id(), agent.client_id, USER_ID)
    return [app.token(API), for_agent, agent.exchanged(for_agent, RESOURCE)]


def counts(token: str) -> bool:
    try:
        check_standing(read_token(token))
    except TokenRefused:
        return False
    return True


def take_back(cast: Cast, caller: Caller) -> None:
    revoke_credential(
        actor=cast.alice, credential=Credential.objects.get(owner=caller.account, superseded_at=None)
    )


def test_what_a_revoked_key_set_was_given_counts_no_more(
    cast: Cast, app: Caller, agent: Caller, resource: Caller
) -> None:
    """Whoever stole it would otherwise go on for five minutes, and pass on what it had."""
    tokens = given(app, agent)
    assert all(map(counts, tokens))
    take_back(cast, app)
    assert [counts(token) for token in tokens] == [False] * 3
    assert agent.exchange(tokens[1], RESOURCE).status_code == 400
    assert accept_bearer(tokens[0]) is None


def test_what_another_generation_was_given_goes_on(
    cast: Cast, app: Caller, agent: Caller, resource: Caller
) -> None:
    before = given(app, agent)
    new = rotate(cast, app)
    tokens = given(new, agent)
    old = Credential.objects.get(owner=app.account, generation=1)
    revoke_credential(actor=cast.alice, credential=old)
    assert [counts(token) for token in before] == [False] * 3
    assert all(map(counts, tokens))


@pytest.mark.parametrize("guard", ["_check_key_set", "revoke_delegations_by"])
def test_without_that_a_thief_goes_on(
    cast: Cast, app: Caller, agent: Caller, resource: Caller, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """The mutants: of the two, one ends what it was given, the other what came of that."""
    tokens = given(app, agent)
    if guard == "_check_key_set":
        monkeypatch.setattr(standing, guard, lambda token: None)
        left = [True, False, False]
    else:
        monkeypatch.setattr(credentials, guard, lambda **_: 0)
        left = [False, False, True]
    take_back(cast, app)
    assert [counts(token) for token in tokens] == left
