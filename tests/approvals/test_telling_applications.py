"""Telling an application that a user of its is asked: signed, ids only, until it is taken or of no use any more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from agentops.errors import PolicyDenied, ValidationFailed
from agentops.ledger.models import Stream
from approvals.confirmations import telling
from approvals.confirmations.hooks import remove_confirmation_hook, set_confirmation_hook
from approvals.models import Confirmation, ConfirmationHook
from tests.asking import asked_confirmation
from tests.cast import Cast
from tests.factories import ToolVersionFactory


@dataclass
class Receiver:
    """An endpoint of an application's: what it was sent, and with what it answers."""

    url: str = ""
    status: int = 204
    posted: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


@pytest.fixture
def secret(cast: Cast, receiver: Receiver, settings: Any) -> str:
    from ipaddress import ip_network

    settings.OUTGOING_PRIVATE_NETWORKS = (ip_network("127.0.0.0/8"),)
    return set_confirmation_hook(
        actor=cast.ada, application=cast.application, url=receiver.url, allow_private=True
    )[1]


@pytest.fixture
def asked(cast: Cast) -> Confirmation:
    made = asked_confirmation(cast, ToolVersionFactory.create(tool__team=cast.team))
    Confirmation.objects.filter(pk=made.pk).update(tell_at=timezone.now())
    return made


def tell(asked: Confirmation) -> bool:
    return telling.tell_application(asked.pk)


def test_it_is_told_once_and_signed(receiver: Receiver, secret: str, asked: Confirmation) -> None:
    assert tell(asked)
    assert not tell(asked)
    [(headers, body)] = receiver.posted
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == f"msg_{asked.pk}"
    told = json.loads(body)
    assert told["type"] == "confirmation.requested"
    assert set(told["data"]) == {"confirmation", "run", "digest", "expires_at"}
    assert asked.principal.subject not in body.decode()


def test_what_is_not_taken_is_sent_again_under_its_id(
    receiver: Receiver, secret: str, asked: Confirmation
) -> None:
    receiver.status = 503
    assert not tell(asked)
    assert telling.tell_due(now=timezone.now()) == 0, "not before its time"
    receiver.status = 200
    with time_machine.travel(timezone.now() + timedelta(seconds=6), tick=False):
        assert telling.tell_due(now=timezone.now()) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.posted}) == 1
    assert len(receiver.posted) == 2


def test_who_is_gone_is_told_nothing_more(receiver: Receiver, secret: str, asked: Confirmation) -> None:
    receiver.status = 410
    assert not tell(asked)
    assert ConfirmationHook.objects.get().ended_at is not None
    assert Confirmation.objects.get().tell_at is None


@pytest.mark.parametrize("state", ["refused", "expired", "voided"])
def test_what_waits_no_more_is_not_told(
    receiver: Receiver, secret: str, asked: Confirmation, state: str
) -> None:
    Confirmation.objects.update(state=state)
    assert not tell(asked)
    assert receiver.posted == []


def test_a_private_address_takes_two_words(receiver: Receiver, secret: str, asked: Confirmation) -> None:
    ConfirmationHook.objects.update(allow_private=False)
    assert not tell(asked)
    assert receiver.posted == []


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/hook", "ftp://shop.example", "https://", "https://ada:x@shop.example/", "nonsense",
     "https://shop.example/#x", "https://shop.example:x/", f"https://shop.example/{'x' * 300}"],
)  # fmt: skip
def test_an_address_that_cannot_be_told_is_refused(cast: Cast, url: str) -> None:
    with pytest.raises(ValidationFailed, match="bad_url"):
        set_confirmation_hook(actor=cast.ada, application=cast.application, url=url)


def test_the_secret_is_nowhere_in_the_clear(cast: Cast, secret: str) -> None:
    hook = ConfirmationHook.objects.get()
    assert secret not in hook.sealed_secret
    assert Stream.objects.filter(pk=cast.application.pk).exists()
    remove_confirmation_hook(actor=cast.ada, application=cast.application)
    assert not ConfirmationHook.objects.exists()


def test_only_who_may_change_the_application_sets_it(cast: Cast) -> None:
    for person in (cast.bob, cast.charlie, cast.fiona):
        with pytest.raises(PolicyDenied):
            set_confirmation_hook(actor=person, application=cast.application, url="https://shop.example/h")
