"""Tokens of others: whose are believed, and how their keys are fetched."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import ProgrammingError, transaction
from django.urls import reverse
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.changes import SecondPersonNeeded, activate, do_or_propose, seconded
from identities.models import AgentIdentity, ApiKey, Application, ChangeProposal, Delegation, TokenIssuer
from identities.oauth import exchange, issuers
from identities.oauth.compact import TokenRefused
from identities.oauth.fetching import SIZE_LIMIT, NotFetched, fetch_json
from identities.oauth.standing import check_standing
from identities.oauth.tokens import read_token
from identities.services import add_issuer, delegations, disable_issuer
from identities.services import issuers as issuer_services
from tests.api.caller import caller_of
from tests.cast import Cast, let_govern
from tests.console.visits import sign_in
from tests.ledger import last_entry
from tests.oauth.clients import JWT, USER_ID, Answer, Caller, claims_of, key_pair, user_id
from tests.oauth.conftest import RESOURCE
from tests.oauth.provider import AUDIENCE, Provider

ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


def present(app: Caller, agent: Caller, token: str, kind: str = ID_TOKEN) -> Answer:
    return app.exchange(token, agent.client_id, kind)


@pytest.mark.parametrize("kind", [ID_TOKEN, JWT])
def test_a_users_token_proves_who_the_user_is(
    app: Caller, agent: Caller, provider: Provider, kind: str
) -> None:
    answer = present(app, agent, provider.id_token(), kind)

    assert answer.status_code == 200, answer.content
    said = claims_of(answer.json()["access_token"])
    assert (said["sub"], said["principal_issuer"]) == ("customer-17", provider.address)
    assert said["principal_proof"] == "token"
    assert Delegation.objects.get().proof == "token"


def test_what_comes_of_it_ends_no_later(app: Caller, agent: Caller, provider: Provider) -> None:
    ends = int(time.time()) + 100
    said = claims_of(present(app, agent, provider.id_token(exp=ends)).json()["access_token"])
    assert said["exp"] == ends


def test_keys_are_kept_and_fetched_again_for_a_new_one_at_a_bounded_rate(
    app: Caller, agent: Caller, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_key = key_pair("provider-next")
    for _ in range(3):
        assert present(app, agent, provider.id_token()).status_code == 200
    assert provider.asked.count("/jwks") == 1
    provider.publish(key_pair("provider"), next_key)
    for _ in range(3):
        assert present(app, agent, provider.id_token(next_key)).status_code == 400
    assert provider.asked.count("/jwks") == 1, "whoever sends unknown ids makes us ask no sooner"
    monkeypatch.setattr(issuers, "REFETCHED_AFTER_S", 0.0)
    assert present(app, agent, provider.id_token(next_key)).status_code == 200


def test_a_disabled_issuer_is_not_believed(
    cast: Cast, app: Caller, agent: Caller, provider: Provider
) -> None:
    row = app.account.token_issuers.get()
    disable_issuer(actor=cast.alice, issuer=row)

    assert present(app, agent, provider.id_token()).status_code == 400
    with pytest.raises(StateConflict):
        disable_issuer(actor=cast.alice, issuer=row)


def test_what_was_passed_on_by_its_word_ends_with_it(
    cast: Cast, app: Caller, agent: Caller, resource: Caller, provider: Provider
) -> None:
    proven = present(app, agent, provider.id_token()).json()["access_token"]
    asserted = app.exchanged(user_id(), agent.client_id, USER_ID)
    passed_on = agent.exchanged(proven, RESOURCE)
    issuer = disable_issuer(actor=cast.alice, issuer=app.account.token_issuers.get())
    for token in (proven, passed_on):
        with pytest.raises(TokenRefused, match="revoked_delegation"):
            check_standing(read_token(token))
    check_standing(read_token(asserted))
    assert last_entry(issuer.pk).facts == {"revoked": 2}


def test_a_hop_that_is_made_while_its_issuer_is_disabled_is_refused(
    cast: Cast, app: Caller, agent: Caller, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's token was believed a moment before."""
    add = delegations.add_delegation

    def disable_first(delegation: Delegation) -> None:
        disable_issuer(actor=cast.alice, issuer=app.account.token_issuers.get())
        add(delegation)

    monkeypatch.setattr(exchange, "add_delegation", disable_first)
    assert present(app, agent, provider.id_token()).json()["error"] == "invalid_request"
    assert not Delegation.objects.exists()


@pytest.mark.parametrize("guard", ["revoke_delegations_from", "_hold_issuer"])
def test_without_that_its_word_outlasts_it(
    cast: Cast, app: Caller, agent: Caller, provider: Provider, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """The mutants."""
    if guard == "_hold_issuer":
        monkeypatch.setattr(delegations, guard, lambda delegation: None)
        add, issuer = delegations.add_delegation, app.account.token_issuers.get()

        def disable_first(delegation: Delegation) -> None:
            disable_issuer(actor=cast.alice, issuer=issuer)
            add(delegation)

        monkeypatch.setattr(exchange, "add_delegation", disable_first)
        proven = present(app, agent, provider.id_token()).json()["access_token"]
    else:
        monkeypatch.setattr(issuer_services, guard, lambda **_: 0)
        proven = present(app, agent, provider.id_token()).json()["access_token"]
        disable_issuer(actor=cast.alice, issuer=app.account.token_issuers.get())
    check_standing(read_token(proven))


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ((500, b"{}"), "status"),
        ((302, b""), "status"),
        ((200, b"<html>"), "malformed"),
        ((200, b"[]"), "malformed"),
        ((200, b'{"keys": 1, "keys": 2}'), "malformed"),
        ((200, b" " * (SIZE_LIMIT + 1)), "too_large"),
    ],
)
def test_a_document_that_is_none_is_refused(provider: Provider, page: tuple[int, bytes], reason: str) -> None:
    provider.pages["/odd"] = page

    with pytest.raises(NotFetched, match=reason):
        fetch_json(f"{provider.address}/odd", allow_private=True)


@pytest.mark.parametrize(
    "address",
    ["https://127.0.0.1:1/", "https://[::1]:1/", "https://10.0.0.1/", "https://169.254.169.254/latest",
     "https://[::ffff:10.0.0.1]/", "https://localhost:1/"],
)  # fmt: skip
def test_nothing_is_fetched_from_a_private_network(address: str) -> None:
    with pytest.raises(NotFetched, match="private_address"):
        fetch_json(address, allow_private=False)


def test_http_is_for_this_machine_only(provider: Provider) -> None:
    with pytest.raises(NotFetched, match="not_https"):
        fetch_json(f"{provider.address}/jwks", allow_private=False)
    with pytest.raises(NotFetched, match="private_address"):
        fetch_json("http://10.0.0.1/jwks", allow_private=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.example"},
        {"issuer": "id.example"},
        {"issuer": "https://user@id.example"},
        {"jwks_url": "http://id.example/jwks"},
        {"jwks_url": "file:///etc/passwd"},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
    ],
)
def test_an_issuer_has_https_addresses_and_strong_algorithms(cast: Cast, wrong: dict[str, str]) -> None:
    given = {"issuer": "https://id.example", "audience": AUDIENCE, **wrong}
    with pytest.raises(ValidationFailed):
        add_issuer(actor=cast.alice, client=cast.application.service_account, **given)  # type: ignore[arg-type]  # texts and lists alike


def test_outsiders_add_none_and_only_a_superuser_lets_us_fetch_from_inside(cast: Cast) -> None:
    client = cast.application.service_account
    for actor in (cast.bob, cast.charlie, cast.fiona):
        with pytest.raises(PolicyDenied):
            add_issuer(actor=actor, client=client, issuer="https://id.example", audience=AUDIENCE)
    with pytest.raises(PolicyDenied):
        add_issuer(
            actor=cast.alice,
            client=client,
            issuer="https://id.example",
            audience=AUDIENCE,
            allow_private=True,
        )
    add_issuer(actor=cast.alice, client=client, issuer="https://id.example", audience=AUDIENCE)
    with pytest.raises(StateConflict):
        add_issuer(actor=cast.alice, client=client, issuer="https://id.example", audience="other")


# --- a second person ------------------------------------------------------------------------------------


def believe(cast: Cast) -> TokenIssuer:
    client = cast.application.service_account
    return add_issuer(actor=cast.alice, client=client, issuer="https://id.example", audience=AUDIENCE)


def test_to_believe_an_issuer_takes_two_people_and_to_end_that_one(governed: Cast) -> None:
    let_govern(governed.bob)
    proposal = do_or_propose(actor=governed.alice, act=lambda: believe(governed))
    assert isinstance(proposal, ChangeProposal)
    assert (proposal.loosening, TokenIssuer.objects.exists()) == (["issuer"], False)
    with pytest.raises(PolicyDenied, match="nobody activates"):
        activate(actor=governed.alice, proposal=proposal, second_factor=True)
    activate(actor=governed.bob, proposal=proposal, second_factor=True)
    row = TokenIssuer.objects.get()
    assert (row.issuer, row.audience, row.algorithms) == ("https://id.example", AUDIENCE, ["ES256", "RS256"])
    assert last_entry(row.pk).facts["activated_by"] == str(governed.bob.pk)
    disable_issuer(actor=governed.alice, issuer=row)


def test_an_issuer_that_was_ended_is_not_begun_anew_by_a_row(governed: Cast) -> None:
    let_govern(governed.bob)
    with seconded(governed.bob):
        row = believe(governed)
    disable_issuer(actor=governed.alice, issuer=row)
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        TokenIssuer.objects.filter(pk=row.pk).update(disabled_at=None)
    with pytest.raises(SecondPersonNeeded):
        believe(governed)


def test_the_console_proposes_what_takes_two(governed: Cast) -> None:
    form = {
        "client": str(governed.application.service_account_id), "issuer": "https://id.example",
        "audience": AUDIENCE, "jwks_url": "", "algorithms": ["ES256"],
    }  # fmt: skip
    answer = sign_in(governed.alice).post(reverse("admin:identities_tokenissuer_add"), form)
    proposal = ChangeProposal.objects.get()
    assert answer.status_code == 302
    assert str(proposal.pk) in answer["Location"]
    assert (proposal.verb, proposal.state) == ("issuer.add", "waiting")


@pytest.mark.parametrize("whose", ["application", "agent", "nobody"])
def test_it_is_proposed_for_an_application_or_an_agent(governed: Cast, whose: str) -> None:
    known: dict[str, Application | AgentIdentity] = {
        "application": governed.application,
        "agent": governed.agent,
    }
    subject = {"client": str(known[whose].pk if whose in known else uuid4())}
    body = {
        "verb": "issuer.add",
        "subject": subject,
        "values": {"issuer": "https://id.example", "audience": AUDIENCE},
    }
    caller = caller_of(governed, governed.alice)
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=1))
    answer = caller.post("/proposals", body, key="propose")
    assert answer.status == (201 if whose in known else 404), answer.content
    wanted = [str(known[whose].service_account_id)] if whose in known else []
    assert list(ChangeProposal.objects.values_list("arguments__client", flat=True)) == wanted
