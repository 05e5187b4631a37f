"""Webhooks through the API: who may add one, and what an application finds of its own."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.api.models import IdempotentAnswer
from approvals.models import NoticeChannel, NoticeDelivery
from tests.api.caller import Caller, caller_of
from tests.approvals.notices.conftest import deliver_all, make_channel
from tests.approvals.notices.receivers import Receiver
from tests.cast import Cast
from tests.factories import give_second_factor
from tests.factories.identities import current_code

pytestmark = [pytest.mark.webhooks, pytest.mark.django_db]


@pytest.fixture
def alice(cast: Cast) -> Caller:
    caller = caller_of(cast, cast.alice)
    assert caller.post("/step-up", {"otp": current_code(give_second_factor(cast.alice))}).status == 200
    return caller


@pytest.fixture
def app(cast: Cast) -> Caller:
    return caller_of(cast, cast.application.service_account)


def body(receiver: Receiver, **changes: Any) -> dict[str, Any]:
    values = {"application": "shop-app", "name": "shop", "url": receiver.url, "kinds": ["approval.requested"]}
    return {**values, "allow_private": True, **changes}


def test_the_secret_is_given_once_and_kept_nowhere(alice: Caller, receiver: Receiver) -> None:
    made = alice.post("/webhooks", body(receiver), key="k")
    again = alice.post("/webhooks", body(receiver), key="k")
    assert made.status == again.status == 201
    assert again.body == {**made.body, "secret": None}
    secret = made.body["secret"]
    assert secret not in repr(list(IdempotentAnswer.objects.values()))
    path = f"/webhooks/{made.body['id']}"
    assert "secret" not in alice.get(path).body
    assert "url" not in alice.get(path).body
    assert made.headers["Location"].endswith(path)
    rotated = alice.post(f"{path}/rotate").body
    alice.post(f"{path}/test")
    assert deliver_all() == ["204"]
    receiver.posted[0].verify(secret)
    receiver.posted[0].verify(rotated["secret"])


def test_an_application_sees_and_tries_its_own(
    cast: Cast, app: Caller, alice: Caller, receiver: Receiver
) -> None:
    own = alice.post("/webhooks", body(receiver)).body["id"]
    teams = make_channel(cast, receiver.url)[0].pk
    assert [row["id"] for row in app.get("/webhooks").body["data"]] == [own]
    assert app.get(f"/webhooks/{teams}").status == 404
    assert app.post(f"/webhooks/{own}/test").status == 202
    receiver.statuses = [410, 204]
    deliver_all()
    (dead,) = app.get(f"/webhooks/{own}/deliveries?state=dead").body["data"]
    assert (dead["type"], dead["last_result"]) == ("test", "410")
    assert app.post(f"/webhooks/{own}/deliveries/{dead['id']}/send-again").status == 202
    for verb in ("rotate", "enable", "disable", "remove"):
        assert app.post(f"/webhooks/{own}/{verb}").status == 403
    assert app.post("/webhooks", body(receiver, name="another")).status in (403, 422)
    assert NoticeChannel.objects.count() == 2


def test_adding_one_takes_a_fresh_factor(cast: Cast, receiver: Receiver) -> None:
    late = caller_of(cast, cast.alice)
    assert late.post("/webhooks", body(receiver)).code == "second_factor_required"


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_who_may_not_adds_and_changes_none(cast: Cast, alice: Caller, receiver: Receiver, who: str) -> None:
    made = alice.post("/webhooks", body(receiver)).body["id"]
    other = caller_of(cast, getattr(cast, who))
    assert other.post("/webhooks", body(receiver, name="another")).status in (403, 422)
    for verb in ("rotate", "enable", "disable", "remove", "test"):
        assert other.post(f"/webhooks/{made}/{verb}").status in (403, 404)
    assert not NoticeDelivery.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"application": "nobodys"},
        {"team": "logistics"},
        {"application": None},
        {"kinds": ["all"]},
        {"kind": "slack"},
    ],
)
def test_what_leads_nowhere_is_refused(alice: Caller, receiver: Receiver, changes: dict[str, Any]) -> None:
    assert alice.post("/webhooks", body(receiver, **changes)).status == 422


def test_channels_that_are_no_webhooks_are_the_consoles(cast: Cast, alice: Caller) -> None:
    slack, _ = make_channel(cast, "https://hooks.example/", kind="slack")
    assert alice.get("/webhooks").body["data"] == []
    assert alice.get(f"/webhooks/{slack.pk}").code == "unknown_channel"
