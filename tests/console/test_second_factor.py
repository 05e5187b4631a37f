from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from agentops.console import second_factor
from tests.cast import Cast
from tests.console.visits import sign_in
from tests.factories.identities import current_code


def from_address(address: str) -> HttpRequest:
    return RequestFactory().get("/admin/", REMOTE_ADDR=address)


@pytest.mark.parametrize(
    ("demo", "address", "waived"),
    [(True, "127.0.0.1", True), (True, "::1", True), (True, "10.0.0.7", False), (True, "203.0.113.9", False),
     (False, "127.0.0.1", False)],
)  # fmt: skip
def test_only_the_demo_on_this_machine_waives_it(
    settings: Settings, demo: bool, address: str, waived: bool
) -> None:
    settings.DEMO = demo
    assert second_factor.second_factor_is_waived(from_address(address)) is waived


def verify(request: HttpRequest, device: TOTPDevice | StaticDevice | None) -> None:
    """Do what django-otp's middleware does."""
    vars(request.user)["otp_device"] = device


def request_of(cast: Cast, seconds_ago: float) -> HttpRequest:
    client = sign_in(cast.fiona, seconds_ago=seconds_ago)
    request = from_address("203.0.113.9")
    request.session = client.session
    request.user = cast.fiona
    verify(request, TOTPDevice.objects.get(user=cast.fiona))
    return request


@pytest.mark.parametrize(("seconds_ago", "fresh"), [(0, True), (55, True), (65, False), (4000, False)])
def test_a_factor_is_fresh_for_a_minute(cast: Cast, seconds_ago: float, fresh: bool) -> None:
    assert second_factor.is_fresh(request_of(cast, seconds_ago)) is fresh


def test_a_session_without_a_factor_is_never_fresh(cast: Cast) -> None:
    request = request_of(cast, 0)
    verify(request, None)
    assert not second_factor.is_fresh(request)


def test_a_one_time_code_that_somebody_issued_is_no_second_factor(cast: Cast) -> None:
    request = request_of(cast, 0)
    verify(request, StaticDevice.objects.create(user=cast.fiona, name="one-time code"))
    assert not second_factor.is_verified(request)
    assert not second_factor.is_fresh(request)


def test_a_code_opens_the_window_once(cast: Cast) -> None:
    request = request_of(cast, 4000)
    code = current_code(TOTPDevice.objects.get(user=cast.fiona))
    assert second_factor.confirm(request, f" {code} ")
    assert second_factor.is_fresh(request)
    assert not second_factor.confirm(request, code)  # a code fits once


def test_a_wrong_code_opens_nothing_and_counts_against_the_device(cast: Cast) -> None:
    request = request_of(cast, 4000)
    assert not second_factor.confirm(request, "000000")
    assert not second_factor.is_fresh(request)
    device = TOTPDevice.objects.get(user=cast.fiona)
    assert device.throttling_failure_count == 1
    assert not second_factor.confirm(request, current_code(device))  # it pauses after a failure


def test_somebody_elses_code_does_not_count(cast: Cast) -> None:
    sign_in(cast.alice)
    request = request_of(cast, 4000)
    assert not second_factor.confirm(request, current_code(TOTPDevice.objects.get(user=cast.alice)))
