"""Security keys: added, asked at sign-in and for a decision, and refused for everything that is not their person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from django.test import Client, RequestFactory
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential
from guardian.shortcuts import assign_perm
from pytest_django import Settings
from webauthn.helpers import base64url_to_bytes

from agentops.console.enrolment import issue_enrolment_code
from agentops.console.security_keys import relying_party
from approvals.models import ApprovalRequest
from identities.models import User
from tests.cast import Cast
from tests.console.authenticator import USER_PRESENT, Json, SoftKey, challenge_of
from tests.console.test_login import PASSWORD, is_in
from tests.console.visits import ELSEWHERE, Page, page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory
from tests.ledger import kinds_of, last_entry

pytestmark = [pytest.mark.console, pytest.mark.slow]

BEGIN, FINISH = "/admin/keys/begin/", "/admin/keys/finish/"


def send(client: Client, address: str, **body: object) -> Page:
    return client.post(address, body, content_type="application/json")


def add(client: Client, key: SoftKey, name: str = "blue") -> Page:
    options = send(client, BEGIN, what="register").json()
    answer = key.register(options) if "challenge" in options else {}
    return send(client, FINISH, what="register", name=name, answer=answer)


def prove(client: Client, key: SoftKey, about: str = "") -> Page:
    options = send(client, BEGIN, what="prove", about=about).json()
    return send(client, FINISH, what="prove", answer=key.prove(options))


@pytest.fixture
def key(cast: Cast) -> SoftKey:
    """Fiona's."""
    made = SoftKey()
    assert add(sign_in(cast.fiona), made).status_code == 200
    return made


def is_fresh(client: Client) -> bool:
    """Return whether a change of the second factor is offered, which takes a fresh one."""
    return "Scan this picture" in text_of(client.get("/admin/second-factor/"))


def knows_the_password(person: User) -> Client:
    """Return a client whose session got past the password only."""
    person.set_password(PASSWORD)
    person.save()
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.post("/admin/login/", {"username": person.username, "password": PASSWORD, "next": "/admin/"})
    return client


def test_a_key_is_added_beside_the_app_and_is_on_the_record(cast: Cast, key: SoftKey) -> None:
    assert TOTPDevice.objects.filter(user=cast.fiona).exists()
    assert last_entry(cast.fiona.pk).kind == "person.key_added"
    assert "blue" in text_of(sign_in(cast.fiona).get("/admin/second-factor/"))


def test_password_then_key_lets_in(cast: Cast, key: SoftKey) -> None:
    client = knows_the_password(cast.fiona)
    assert not is_in(client)
    assert "Your security key" in text_of(client.get("/admin/login/?next=/admin/"))
    before = client.session.session_key
    assert prove(client, key).status_code == 200
    assert is_in(client)
    assert client.session.session_key != before


def test_a_password_without_key_or_code_gets_no_further(cast: Cast, key: SoftKey) -> None:
    client = knows_the_password(cast.fiona)
    assert client.get(page_of("runs_run", "changelist")).status_code == 302
    assert send(client, BEGIN, what="register").json()["code"] == "second_factor_required"
    assert not is_in(knows_the_password(cast.bob))


def test_a_key_opens_the_window_for_a_minute(cast: Cast, key: SoftKey) -> None:
    client = sign_in(cast.fiona, seconds_ago=600)
    assert not is_fresh(client)
    assert prove(client, key).status_code == 200
    assert is_fresh(client)


def bend(**changes: object) -> Callable[[SoftKey], None]:
    return lambda key: vars(key).update(changes)


FORGERIES: dict[str, Callable[[SoftKey], None]] = {
    "a page that looks like ours": bend(origin="http://testserver.example"),
    "another port": bend(origin="http://testserver:8443"),
    "another domain's key": bend(domain="example.com"),
    "nobody recognised": bend(flags=USER_PRESENT),
    "nobody there": bend(flags=0),
    "a copy, whose counter lags": bend(count=-1 + 1),
    "another key under its name": bend(private=ec.generate_private_key(ec.SECP256R1())),
    "an unknown key": bend(credential=b"x" * 32),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_nothing_else_opens_it(cast: Cast, key: SoftKey, forge: Callable[[SoftKey], None]) -> None:
    assert prove(sign_in(cast.fiona), key).status_code == 200
    forge(key)
    client = sign_in(cast.fiona, seconds_ago=600)
    answer = prove(client, key)
    assert (answer.status_code, answer.json()["code"]) == (403, "key_refused")
    assert not is_fresh(client)


def test_somebody_elses_key_does_not_count(cast: Cast, key: SoftKey) -> None:
    client = sign_in(cast.bob, seconds_ago=600)
    assert prove(client, key).json()["code"] == "key_refused"
    assert not is_fresh(client)


def test_a_challenge_is_answered_once_and_in_the_session_that_asked(cast: Cast, key: SoftKey) -> None:
    client, other = sign_in(cast.fiona, seconds_ago=600), sign_in(cast.fiona, seconds_ago=600)
    answer = key.prove(send(client, BEGIN, what="prove").json())
    send(other, BEGIN, what="prove")
    assert send(other, FINISH, what="prove", answer=answer).json()["code"] == "key_refused"
    assert send(client, FINISH, what="prove", answer=answer).status_code == 200
    assert send(client, FINISH, what="prove", answer=answer).json()["code"] == "no_ceremony"
    send(client, BEGIN, what="register")
    assert send(client, FINISH, what="prove", answer=answer).json()["code"] == "no_ceremony"


@pytest.mark.parametrize(
    "answer", [None, [], "text", {}, {"id": "x"}, {"id": "eA", "rawId": "eA", "response": {}}]
)
def test_nonsense_is_refused(cast: Cast, key: SoftKey, answer: object) -> None:
    client = sign_in(cast.fiona)
    send(client, BEGIN, what="prove")
    assert send(client, FINISH, what="prove", answer=answer).status_code == 403


def test_a_stale_session_adds_and_removes_nothing(cast: Cast, key: SoftKey) -> None:
    client = sign_in(cast.fiona, seconds_ago=61)
    assert add(client, SoftKey()).json()["code"] == "second_factor_required"
    client.post("/admin/second-factor/", {"remove": str(WebAuthnCredential.objects.get().pk)})
    assert WebAuthnCredential.objects.count() == 1


def test_a_stranger_gets_no_challenge(cast: Cast) -> None:
    assert send(Client(REMOTE_ADDR=ELSEWHERE), BEGIN, what="prove").status_code == 403


def test_a_newcomer_may_begin_with_a_key(cast: Cast) -> None:
    code = issue_enrolment_code(actor=cast.ada, user=cast.bob)
    cast.bob.set_password(PASSWORD)
    cast.bob.save()
    client = Client(REMOTE_ADDR=ELSEWHERE)
    form = {"username": "bob", "password": PASSWORD, "otp_token": code, "next": "/admin/"}
    client.post("/admin/login/", form)
    assert not is_in(client)
    assert add(client, SoftKey()).status_code == 200
    assert is_in(client)
    assert not StaticDevice.objects.exists()


def test_the_last_factor_stays(cast: Cast, key: SoftKey) -> None:
    client = sign_in(cast.fiona)
    remove = {"remove": str(WebAuthnCredential.objects.get().pk)}
    TOTPDevice.objects.filter(user=cast.fiona).update(confirmed=False)
    prove(client, key)
    prove(knows_the_password(cast.fiona), key)
    alone = knows_the_password(cast.fiona)
    prove(alone, key)
    assert "only second factor" in text_of(alone.post("/admin/second-factor/", remove))
    TOTPDevice.objects.filter(user=cast.fiona).update(confirmed=True)
    alone.post("/admin/second-factor/", remove)
    assert not WebAuthnCredential.objects.exists()
    assert last_entry(cast.fiona.pk).kind == "person.key_removed"


def test_a_one_time_code_takes_the_keys_away(cast: Cast, key: SoftKey) -> None:
    issue_enrolment_code(actor=cast.ada, user=cast.fiona)
    assert not WebAuthnCredential.objects.exists()


@pytest.fixture
def asked(cast: Cast) -> ApprovalRequest:
    made: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent)
    assign_perm("approve_calls", cast.fiona, made.tool)
    return made


def decide(client: Client, asked: ApprovalRequest, verdict: str = "approve") -> Page:
    form = {"verdict": verdict, "reason": "Fine.", "digest": asked.digest}
    return client.post(f"/admin/approvals/approvalrequest/{asked.pk}/decision/", form)


def verify(evidence: Json, key: SoftKey) -> None:
    """Verify with what the record holds, and the key's public half."""
    signed = base64url_to_bytes(evidence["authenticator_data"])
    signed += hashlib.sha256(base64url_to_bytes(evidence["client_data"])).digest()
    signature = base64url_to_bytes(evidence["signature"])
    key.private.public_key().verify(signature, signed, ec.ECDSA(SHA256()))


def test_a_decision_by_key_is_signed_over_its_digest(
    cast: Cast, key: SoftKey, asked: ApprovalRequest
) -> None:
    client = sign_in(cast.fiona, seconds_ago=600)
    page = client.get(page_of("approvals_approvalrequest", "change", asked.pk)).content.decode()
    about = f"approve:{asked.digest}"
    assert f'data-about="{about}"' in page
    assert prove(client, key, about).status_code == 200
    decide(client, asked)
    evidence = last_entry(asked.pk).facts["signature"]
    assert challenge_of(evidence)[16:] == hashlib.sha256(about.encode()).digest()
    verify(evidence, key)
    with pytest.raises(InvalidSignature):
        verify(evidence, SoftKey())


@pytest.mark.parametrize("about", ["deny:{}", "approve:other", ""])
def test_a_signature_about_something_else_is_not_kept(
    cast: Cast, key: SoftKey, asked: ApprovalRequest, about: str
) -> None:
    client = sign_in(cast.fiona, seconds_ago=600)
    prove(client, key, about.format(asked.digest))
    decide(client, asked)
    entry = last_entry(asked.pk)
    assert (entry.kind, "signature" in entry.facts) == ("approval.decided", False)
    assert kinds_of(asked.pk).count("approval.decided") == 1


PARTIES = {
    "https://ops.example": ("ops.example", "https://ops.example"),
    "https://ops.example:8443": ("ops.example", "https://ops.example:8443"),
    "http://ops.example": None,
    "https://192.0.2.7": None,
    "": None,
}


@pytest.mark.parametrize(("public", "expected"), PARTIES.items())
def test_keys_are_for_the_public_address_in_production(
    settings: Settings, public: str, expected: tuple[str, str] | None
) -> None:
    settings.PRODUCTION, settings.PUBLIC_URL = True, public
    party = relying_party(RequestFactory().get("/", headers={"host": "testserver"}))
    assert (None if party is None else (party.domain, party.origin)) == expected
