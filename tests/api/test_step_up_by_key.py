"""Stepping up over the API by a security key: for who holds both keys, once, and signed over what is decided."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals.models import ApprovalRequest
from identities.models import ApiKey
from identities.services import key_proofs
from tests.api.caller import Answer, Caller, caller_of
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.console.authenticator import USER_PRESENT, SoftKey, challenge_of
from tests.console.test_security_keys import add
from tests.console.visits import sign_in
from tests.factories import ApprovalRequestFactory
from tests.ledger import last_entry


@pytest.fixture
def key(cast: Cast) -> SoftKey:
    """Fiona's."""
    made = SoftKey()
    assert add(sign_in(cast.fiona), made).status_code == 200
    return made


@pytest.fixture
def asked(cast: Cast) -> ApprovalRequest:
    """Wait for Fiona, who has to sign with her key."""
    made: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent, factor="key")
    assign_perm("approve_calls", cast.fiona, made.tool)
    return made


def begin(caller: Caller, about: str = "") -> Answer:
    return caller.post("/step-up/key", {"about": about})


def prove(caller: Caller, key: SoftKey, about: str = "") -> Answer:
    return caller.post("/step-up", {"answer": key.prove(begin(caller, about).body["options"])})


def decide(caller: Caller, asked: ApprovalRequest, key: str = "k") -> Answer:
    body = {"verdict": "approve", "digest": asked.digest, "reason": "Fine."}
    return caller.post(f"/approvals/{asked.pk}/decision", body, key=key)


def test_a_key_opens_the_window_for_a_minute(cast: Cast, callers: Callers, key: SoftKey) -> None:
    assert prove(callers.fiona, key).status == 200
    window = ApiKey.objects.get(user=cast.fiona).verified_until
    assert window is not None
    assert timedelta(seconds=50) < window - timezone.now() <= timedelta(seconds=60)
    entry = last_entry(cast.fiona.pk)
    assert (entry.kind, entry.facts["by"]) == ("key.verified", "security_key")


FORGERIES: dict[str, Callable[[SoftKey], None]] = {
    "another page": lambda key: setattr(key, "origin", "http://evil.example"),
    "another domain": lambda key: setattr(key, "domain", "evil.example"),
    "a touch without its person": lambda key: setattr(key, "flags", USER_PRESENT),
    "a copy, whose counter lags": lambda key: setattr(key, "count", -1),
    "another key under its name": lambda key: setattr(key, "private", SoftKey().private),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_nothing_else_opens_it(
    cast: Cast, callers: Callers, key: SoftKey, forge: Callable[[SoftKey], None]
) -> None:
    forge(key)
    assert prove(callers.fiona, key).code == "key_refused"
    assert ApiKey.objects.get(user=cast.fiona).verified_until is None


def test_an_answer_counts_once_and_for_the_api_key_that_asked(
    cast: Cast, callers: Callers, key: SoftKey
) -> None:
    other = caller_of(cast, cast.fiona)
    body = {"answer": key.prove(begin(callers.fiona).body["options"])}
    assert other.post("/step-up", body).code == "no_ceremony"
    begin(other)
    assert other.post("/step-up", body).code == "key_refused"
    assert callers.fiona.post("/step-up", body).status == 200
    assert callers.fiona.post("/step-up", body).code == "no_ceremony"


def test_an_answer_that_comes_too_late_does_not_count(
    callers: Callers, key: SoftKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_proofs, "CEREMONY_S", -1)
    assert prove(callers.fiona, key).code == "no_ceremony"


@pytest.mark.parametrize("body", [{"answer": {}}, {"answer": {"id": "eA", "rawId": "eA", "response": {}}}])
def test_nonsense_is_refused(callers: Callers, key: SoftKey, body: object) -> None:
    begin(callers.fiona)
    assert callers.fiona.post("/step-up", body).code == "key_refused"


@pytest.mark.parametrize("body", [{"answer": []}, {"answer": {}, "otp": "123456"}, {"about": "x"}])
def test_what_is_no_step_up_is_refused(callers: Callers, key: SoftKey, body: object) -> None:
    begin(callers.fiona)
    assert callers.fiona.post("/step-up", body).code == "validation_failed"


def test_who_has_no_key_is_asked_nothing(callers: Callers) -> None:
    assert begin(callers.bob).code == "no_second_factor"
    assert begin(callers.app).code == "not_a_person"
    assert begin(callers.stranger).status == 401


def test_a_decision_is_signed_over_its_digest(callers: Callers, key: SoftKey, asked: ApprovalRequest) -> None:
    about = f"approve:{asked.digest}"
    prove(callers.fiona, key)
    assert decide(callers.fiona, asked).status == 403, "a fresh factor is no signature"
    prove(callers.fiona, key, f"deny:{asked.digest}")
    assert decide(callers.fiona, asked).status == 403, "nor is one about something else"
    prove(callers.fiona, key, about)
    assert decide(callers.fiona, asked).body["state"] == "approved"
    evidence = last_entry(asked.pk).facts["signature"]
    assert challenge_of(evidence)[16:] == hashlib.sha256(about.encode()).digest()


def test_a_signature_counts_within_its_window_and_once(
    cast: Cast, callers: Callers, key: SoftKey, asked: ApprovalRequest
) -> None:
    about = f"approve:{asked.digest}"
    prove(callers.fiona, key, about)
    ApiKey.objects.filter(user=cast.fiona).update(verified_until=timezone.now())
    assert decide(callers.fiona, asked).status == 403
    prove(callers.fiona, key, about)
    row = ApiKey.objects.get(user=cast.fiona)
    assert [bool(key_proofs.take_signed(key=row, about=about)) for _ in range(2)] == [True, False]


def test_without_comparing_what_it_is_about_any_signature_would_do(
    callers: Callers, key: SoftKey, asked: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from identities.api import authentication

    prove(callers.fiona, key, "deny:other")
    monkeypatch.setattr(
        authentication, "take_signed", lambda key, about: ApiKey.objects.get(pk=key.pk).signed
    )
    assert decide(callers.fiona, asked).body["state"] == "approved"
