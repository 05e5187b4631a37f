"""Pages about key sets, issuers, signing keys and delegations: every change is a service call."""

from __future__ import annotations

import json

import pytest

from identities.models import Credential, Delegation, SigningKey, TokenIssuer
from identities.services import add_issuer, rotate_signing_key
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in, text_of
from tests.ledger import last_entry
from tests.oauth.clients import USER_ID, Caller, key_pair, user_id
from tests.oauth.test_generations import rotate

pytestmark = [pytest.mark.console, pytest.mark.slow]

CREDENTIAL, ISSUER, KEY, DELEGATION = (
    "identities_credential", "identities_tokenissuer", "identities_signingkey", "identities_delegation",
)  # fmt: skip


@pytest.fixture
def issuer(cast: Cast) -> TokenIssuer:
    client = cast.application.service_account
    return add_issuer(actor=cast.alice, client=client, issuer="https://id.example", audience="shop-web")


def test_a_secret_is_issued_and_shown_once(cast: Cast) -> None:
    form = {"holder": str(cast.agent.service_account_id), "days": "30"}
    page = text_of(sign_in(cast.alice).post(page_of(CREDENTIAL, "add"), form))

    credential = Credential.objects.get()
    secret = next(word for word in page.split() if word.startswith("aos_"))
    assert last_entry(cast.agent.pk).kind == "credential.issued"
    listed = sign_in(cast.alice).get(page_of(CREDENTIAL, "change", credential.pk))
    assert secret not in text_of(listed)


def test_the_next_generation_is_made_by_the_same_form(cast: Cast, agent: Caller) -> None:
    public = json.dumps(key_pair("next", "OKP").as_dict(private=False))
    form = {"holder": str(agent.account.pk), "days": "30", "public_key": public}
    page = text_of(sign_in(cast.alice).post(page_of(CREDENTIAL, "add"), form))

    assert "generation 2" in page
    assert Credential.objects.get(generation=2).method == "private_key_jwt"


@pytest.mark.parametrize("public", ["no json", "[]", '{"kty":"oct","k":"AA"}'])
def test_a_key_that_is_none_is_refused_at_the_form(cast: Cast, public: str) -> None:
    form = {"holder": str(cast.agent.service_account_id), "days": "30", "public_key": public}
    answer = sign_in(cast.alice).post(page_of(CREDENTIAL, "add"), form)

    assert (answer.status_code, Credential.objects.exists()) == (422, False)


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
def test_others_issue_and_revoke_no_key_set(cast: Cast, agent: Caller, name: str) -> None:
    client = sign_in(getattr(cast, name))
    client.post(page_of(CREDENTIAL, "add"), {"holder": str(agent.account.pk), "days": "30"})
    act(client, CREDENTIAL, "revoke", Credential.objects.get().pk)

    assert Credential.objects.get().revoked_at is None


def test_a_lock_is_on_the_dashboard_and_on_the_agents_page(cast: Cast, agent: Caller) -> None:
    dashboard, page = "/admin/", page_of("identities_agentidentity", "change", cast.agent.pk)
    assert "Locked for a stolen key" not in text_of(sign_in(cast.alice).get(dashboard))
    rotate(cast, agent).post(grant_type="client_credentials")
    agent.post(grant_type="client_credentials")

    assert "Generation 1 of its key set came back" in text_of(sign_in(cast.alice).get(dashboard))
    assert "Locked: generation 1 came back" in text_of(sign_in(cast.alice).get(page))
    assert "Locked for a stolen key" not in text_of(sign_in(cast.charlie).get(dashboard))
    act(sign_in(cast.alice), "identities_agentidentity", "activate", cast.agent.pk)
    assert "Locked" not in text_of(sign_in(cast.alice).get(dashboard))


def test_an_issuer_is_believed_and_believed_no_more(cast: Cast) -> None:
    form = {"client": str(cast.application.service_account_id), "issuer": "https://id.example",
            "audience": "shop-web", "algorithms": ["RS256"]}  # fmt: skip
    sign_in(cast.alice).post(page_of(ISSUER, "add"), form)
    row = TokenIssuer.objects.get()
    assert "https://id.example" in text_of(sign_in(cast.alice).get(page_of(ISSUER, "change", row.pk)))

    act(sign_in(cast.alice), ISSUER, "disable", row.pk)
    row.refresh_from_db()
    assert row.disabled_at is not None
    assert last_entry(row.pk).kind == "issuer.disabled"


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
def test_others_change_no_issuer(cast: Cast, issuer: TokenIssuer, name: str) -> None:
    act(sign_in(getattr(cast, name)), ISSUER, "disable", issuer.pk)

    issuer.refresh_from_db()
    assert issuer.disabled_at is None


def test_superusers_make_and_revoke_signing_keys(cast: Cast) -> None:
    sign_in(cast.ada).post(page_of(KEY, "add"), {"algorithm": "ES256"})
    key = SigningKey.objects.get()
    page = sign_in(cast.alice).get(page_of(KEY, "change", key.pk))
    assert key.sealed_private_jwk not in page.content.decode()

    act(sign_in(cast.ada), KEY, "revoke", key.pk)
    key.refresh_from_db()
    assert key.revoked_at is not None


@pytest.mark.parametrize("name", ["alice", "charlie"])
def test_nobody_else_does(cast: Cast, name: str) -> None:
    key = rotate_signing_key(actor=cast.ada)
    client = sign_in(getattr(cast, name))
    client.post(page_of(KEY, "add"), {"algorithm": "ES256"})
    act(client, KEY, "revoke", key.pk)

    assert SigningKey.objects.get().revoked_at is None


def test_delegations_are_seen_by_their_team_and_taken_back_by_whoever_may_stop(
    cast: Cast, app: Caller, agent: Caller
) -> None:
    app.exchanged(user_id(), agent.client_id, USER_ID)
    hop = Delegation.objects.get()
    page = page_of(DELEGATION, "change", hop.pk)
    assert "customer-17" in text_of(sign_in(cast.bob).get(page))
    assert "customer-17" not in text_of(sign_in(cast.charlie).get(page, follow=True))
    for person in (cast.charlie, cast.bob):
        act(sign_in(person), DELEGATION, "revoke", hop.pk)
        hop.refresh_from_db()
        assert hop.revoked_at is None
    act(sign_in(cast.alice), DELEGATION, "revoke", hop.pk)
    hop.refresh_from_db()
    assert hop.revoked_at is not None
