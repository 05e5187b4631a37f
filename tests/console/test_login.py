"""Getting in: password and second factor, a one-time code once, and the demo's exception."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django_otp.admin import OTPAdminSite
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from agentops.console.enrolment import issue_enrolment_code
from agentops.console.site import ConsoleSite
from agentops.strangers import client_network
from identities.models import User
from tests.cast import Cast
from tests.console.visits import ELSEWHERE, Page, sign_in, text_of
from tests.factories import PersonFactory, give_second_factor
from tests.factories.identities import current_code
from tests.ledger import kinds_of

pytestmark = [pytest.mark.console, pytest.mark.slow]

PASSWORD = "correct horse battery"


@pytest.fixture
def person(db: None) -> User:
    created: User = PersonFactory.create(username="paula")
    created.set_password(PASSWORD)
    created.save()
    return created


def log_in(client: Client, **changes: Any) -> Page:
    form = {"username": "paula", "password": PASSWORD, "next": "/admin/", **changes}
    return client.post("/admin/login/", form)


def is_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def test_the_console_is_a_site_with_a_second_factor() -> None:
    assert isinstance(admin.site, OTPAdminSite)
    assert isinstance(admin.site, ConsoleSite)


def test_a_password_alone_is_refused(person: User) -> None:
    give_second_factor(person)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    response = log_in(client)
    assert "Enter the code" in text_of(response)
    assert PASSWORD not in response.content.decode()
    assert not is_in(client)


def test_a_password_without_any_device_is_refused(person: User) -> None:
    client = Client(REMOTE_ADDR=ELSEWHERE)
    assert "ask an administrator" in text_of(log_in(client))
    assert not is_in(client)


def test_password_and_code_let_in(person: User) -> None:
    device = give_second_factor(person)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    log_in(client, otp_token=current_code(device))
    assert is_in(client)


@pytest.mark.parametrize("wrong", [{"otp_token": "000000"}, {"otp_token": "abcdefgh"}, {"password": "guess"}])
def test_a_wrong_part_keeps_out(person: User, wrong: dict[str, str]) -> None:
    device = give_second_factor(person)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    assert log_in(client, **{"otp_token": current_code(device), **wrong}).status_code == 200
    assert not is_in(client)


def test_another_persons_code_keeps_out(person: User, cast: Cast) -> None:
    give_second_factor(person)
    client = Client(REMOTE_ADDR=ELSEWHERE)
    log_in(client, otp_token=current_code(TOTPDevice.objects.get(user=cast.fiona)))
    assert not is_in(client)


def test_a_session_that_knows_only_the_password_is_refused(person: User) -> None:
    client = Client(REMOTE_ADDR=ELSEWHERE)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize(("address", "let_in"), [("127.0.0.1", True), (ELSEWHERE, False)])
def test_the_demo_lets_in_without_a_code_on_loopback_only(
    person: User, settings: Settings, address: str, let_in: bool
) -> None:
    settings.DEMO = True
    client = Client(REMOTE_ADDR=address)
    log_in(client)
    assert is_in(client) is let_in


def test_a_session_of_the_demo_is_worth_nothing_from_elsewhere(person: User, settings: Settings) -> None:
    settings.DEMO = True
    client = Client(REMOTE_ADDR="127.0.0.1")
    log_in(client)
    assert client.get("/admin/", REMOTE_ADDR=ELSEWHERE).status_code == 302


class TestOneTimeCode:
    @pytest.fixture
    def code(self, person: User, cast: Cast) -> str:
        return issue_enrolment_code(actor=cast.ada, user=person)

    def test_it_leads_to_setting_up_a_device_and_nowhere_else(self, person: User, code: str) -> None:
        client = Client(REMOTE_ADDR=ELSEWHERE)
        log_in(client, otp_token=code)
        for path in ("/admin/", "/admin/runs/run/", "/admin/approvals/approvalrequest/"):
            response = client.get(path)
            assert (response.status_code, response["Location"]) == (302, "/admin/second-factor/")
        page = client.get("/admin/second-factor/")
        assert "<svg" in page.content.decode()

    def test_the_first_code_of_the_new_device_lets_in(self, person: User, code: str) -> None:
        client = Client(REMOTE_ADDR=ELSEWHERE)
        log_in(client, otp_token=code)
        client.get("/admin/second-factor/")
        device = TOTPDevice.objects.get(user=person)
        assert not device.confirmed
        client.post("/admin/second-factor/", {"code": current_code(device)})
        assert is_in(client)
        assert TOTPDevice.objects.get(user=person).confirmed
        assert not StaticDevice.objects.filter(user=person).exists()
        assert kinds_of(person.pk) == [
            "person.enrolment_code_issued",
            "person.signed_in",
            "person.second_factor_enrolled",
        ]

    def test_a_wrong_code_sets_nothing_up(self, person: User, code: str) -> None:
        client = Client(REMOTE_ADDR=ELSEWHERE)
        log_in(client, otp_token=code)
        page = client.post("/admin/second-factor/", {"code": "000000"})
        assert "not right" in text_of(page)
        assert not TOTPDevice.objects.filter(user=person, confirmed=True).exists()
        assert StaticDevice.objects.filter(user=person).exists()

    def test_it_signs_in_once(self, person: User, code: str) -> None:
        log_in(Client(REMOTE_ADDR=ELSEWHERE), otp_token=code)
        second = Client(REMOTE_ADDR=ELSEWHERE)
        log_in(second, otp_token=code)
        assert second.get("/admin/").status_code == 302
        assert "/admin/login/" in second.get("/admin/second-factor/")["Location"]

    def test_it_ends_the_present_second_factor(self, cast: Cast) -> None:
        client = sign_in(cast.fiona)
        issue_enrolment_code(actor=cast.ada, user=cast.fiona)
        assert client.get("/admin/").status_code == 302


def test_a_device_is_replaced_only_with_a_fresh_code(cast: Cast) -> None:
    stale = sign_in(cast.fiona, seconds_ago=600).get("/admin/second-factor/")
    assert 'class="qr"' not in stale.content.decode()
    assert "show first that you have the present one" in text_of(stale)
    assert TOTPDevice.objects.filter(user=cast.fiona).count() == 1


def test_a_new_device_replaces_the_old_one(cast: Cast) -> None:
    old = TOTPDevice.objects.get(user=cast.fiona)
    client = sign_in(cast.fiona)
    client.get("/admin/second-factor/")
    new = TOTPDevice.objects.get(user=cast.fiona, confirmed=False)
    client.post("/admin/second-factor/", {"code": current_code(new)})
    assert not TOTPDevice.objects.filter(pk=old.pk).exists()
    assert is_in(client)


def test_one_password_is_not_tried_on_everybody_from_one_place(person: User, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "sign_in": (3, 60)}
    device = give_second_factor(person)
    client = Client(REMOTE_ADDR="2001:db8::1")
    assert [log_in(client, username=f"somebody-{n}").status_code for n in range(3)] == [200] * 3
    client = Client(REMOTE_ADDR="2001:db8::ffff:7")  # another of the same client's 2^64 addresses
    assert log_in(client, otp_token=current_code(device)).status_code == 429
    elsewhere = Client(REMOTE_ADDR=ELSEWHERE)
    log_in(elsewhere, otp_token=current_code(device))
    assert is_in(elsewhere)


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"), ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
     ("::ffff:192.0.2.7", "192.0.2.7"), ("unix", "unix"), ("", "")],
)  # fmt: skip
def test_a_client_is_a_network_of_ipv6(address: str, network: str) -> None:
    assert client_network(address) == network
