"""A fresh second factor, asked for in place: what was typed stays, and nothing is done until it is confirmed again."""

from __future__ import annotations

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from agentops.console.second_factor import WRONG_CODE
from identities.models import ApiKey, User
from tests.cast import Cast
from tests.console.visits import Page, act, page_of, sign_in, text_of
from tests.factories.identities import current_code

pytestmark = [pytest.mark.console, pytest.mark.slow]

AGENT, KEY = "identities_agentidentity", "identities_apikey"
WANTED = "Confirm with your second factor"
FIELD = 'name="code"'


def code_of(person: User) -> str:
    return current_code(TOTPDevice.objects.get(user=person))


def issue(client: Client, **more: str) -> Page:
    form = {"holder": "me", "label": "laptop", "days": "30", **more}
    return client.post(page_of(KEY, "add"), form)


def test_a_stale_confirmation_asks_for_a_code_and_keeps_the_reason(cast: Cast) -> None:
    client = sign_in(cast.alice, seconds_ago=61)
    asked = act(client, AGENT, "revoke", cast.agent.pk, reason="It went wild.")
    assert asked.status_code == 403
    assert WANTED in text_of(asked)
    assert FIELD in asked.content.decode()
    assert ">It went wild.</textarea>" in asked.content.decode()
    cast.agent.refresh_from_db()
    assert cast.agent.state == "active"

    confirmed = {
        "action": "revoke", "_selected_action": [str(cast.agent.pk)], "index": "0", "confirmed": "1",
        "reason": "It went wild.",
    }  # fmt: skip
    wrong = client.post(page_of(AGENT, "changelist"), {**confirmed, "code": "000000"})
    assert WRONG_CODE in text_of(wrong)
    cast.agent.refresh_from_db()
    assert cast.agent.state == "active"

    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    client.post(page_of(AGENT, "changelist"), {**confirmed, "code": code_of(cast.alice)})
    cast.agent.refresh_from_db()
    assert cast.agent.state == "revoked"


def test_a_stale_form_asks_for_a_code_and_stays_filled_in(cast: Cast) -> None:
    client = sign_in(cast.bob, seconds_ago=61)
    asked = issue(client)
    assert WANTED in text_of(asked)
    assert FIELD in asked.content.decode()
    assert 'value="laptop"' in asked.content.decode()
    assert not ApiKey.objects.exists()
    assert "aok_" in text_of(issue(client, code=code_of(cast.bob)))
    assert issue(client, label="phone").status_code == 200, "a code counts for a minute"


def test_a_fresh_factor_is_not_asked_for(cast: Cast) -> None:
    assert FIELD not in sign_in(cast.bob, seconds_ago=600).get(page_of(KEY, "add")).content.decode()
    assert "aok_" in text_of(issue(sign_in(cast.bob)))


def test_a_stop_asks_for_nothing(cast: Cast) -> None:
    client = sign_in(cast.alice, seconds_ago=4000)
    assert "suspended" in text_of(act(client, AGENT, "suspend", cast.agent.pk))


@pytest.mark.parametrize("address", ["127.0.0.1", "203.0.113.9"])
def test_the_demo_waives_it_on_this_machine_only(cast: Cast, settings: Settings, address: str) -> None:
    settings.DEMO = True
    client = sign_in(cast.bob, seconds_ago=600)
    client.defaults["REMOTE_ADDR"] = address
    assert (issue(client).status_code == 200) is (address == "127.0.0.1")
