"""Signatures of webhooks, against the library that receivers use."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from agentops import webhooks
from agentops.webhooks import sign
from tests.rewriting import rewrite

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = b'{"type":"approval.requested","data":{"name":"J\xc3\xb6rg"}}'


def verify(signature: str, body: bytes = BODY, secret: str = SECRET, message_id: str = "msg_1") -> object:
    sent = str(int(datetime.now(tz=UTC).timestamp()))
    headers = {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}
    return Webhook(secret).verify(body, headers)


def signed(secret: str = SECRET, message_id: str = "msg_1", body: bytes = BODY) -> str:
    return sign(secret, message_id, int(datetime.now(tz=UTC).timestamp()), body)


def test_a_receivers_library_takes_what_we_sign() -> None:
    assert verify(signed()) == json.loads(BODY)
    assert signed().startswith("v1,")


def test_it_is_what_the_library_itself_signs() -> None:
    now = datetime.now(tz=UTC)
    expected = Webhook(SECRET).sign("msg_1", now, BODY.decode())
    assert sign(SECRET, "msg_1", int(now.timestamp()), BODY) == expected


def test_two_secrets_may_sign_while_one_replaces_the_other() -> None:
    other = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    both = f"{signed(other)} {signed()}"
    assert verify(both) == verify(both, secret=other) == json.loads(BODY)


@pytest.mark.parametrize(
    ("changed", "value"), [("body", BODY + b" "), ("message_id", "msg_2"), ("secret", "whsec_" + "A" * 44)]
)
def test_nothing_of_it_can_be_another(changed: str, value: object) -> None:
    with pytest.raises(WebhookVerificationError):
        verify(signed(**{changed: value}))  # type: ignore[arg-type]  # one of three


def test_without_the_body_in_it_a_signature_fits_any(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, webhooks, "sign", ".encode() + body", ".encode()")
    mutant = webhooks.sign
    assert mutant(SECRET, "m", 1, BODY) == mutant(SECRET, "m", 1, b"another")
    now = int(datetime.now(tz=UTC).timestamp())
    with pytest.raises(WebhookVerificationError):
        verify(mutant(SECRET, "msg_1", now, BODY))


@pytest.mark.parametrize("secret", ["", "secret", "whsec_ä", "whsec_!!"])
def test_what_is_no_secret_signs_nothing(secret: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign(secret, "msg_1", 0, BODY)
