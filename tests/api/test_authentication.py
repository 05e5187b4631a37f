from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from identities.models import ApiKey, User
from identities.services import issue_api_key, revoke_api_key, revoke_application
from tests.api.caller import Caller
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import give_second_factor
from tests.factories.identities import current_code

CHALLENGE = 'Bearer realm="agentops"'


def signed_in(person: User, device: TOTPDevice | None = None, *, csrf: bool = False) -> Caller:
    client = Client(enforce_csrf_checks=csrf, raise_request_exception=False)
    client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    if device:
        session = client.session
        session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
    return Caller(client=client)


def test_a_stranger_is_challenged(callers: Callers) -> None:
    answer = callers.stranger.get("/runs")
    assert (answer.status, answer.code) == (401, "not_authenticated")
    assert answer.headers["WWW-Authenticate"] == CHALLENGE


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        "Bearer aok_000000000000_" + "x" * 43,
        "Basic dTpw",
        "Token x",
        "x",
    ],
)
@pytest.mark.django_db
def test_a_bad_credential_is_refused(credential: str) -> None:
    answer = Caller().get("/runs", Authorization=credential)
    assert (answer.status, answer.code) == (401, "invalid_credential")
    assert answer.headers["WWW-Authenticate"] == f'{CHALLENGE}, error="invalid_token"'


def test_a_key_of_application_and_person_opens(callers: Callers) -> None:
    assert callers.app.get("/runs").status == 200
    assert callers.bob.get("/runs").status == 200


def test_the_scheme_is_case_insensitive(callers: Callers) -> None:
    assert Caller().get("/runs", Authorization=f"bearer {callers.bob.bearer}").status == 200


def test_a_revoked_or_expired_key_is_closed_at_once(cast: Cast) -> None:
    key, bearer = issue_api_key(actor=cast.bob, user=cast.bob, label="x")
    assert Caller(bearer).get("/runs").status == 200
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Caller(bearer).get("/runs").status == 401
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(days=1))
    revoke_api_key(actor=cast.bob, key=key)
    assert Caller(bearer).get("/runs").status == 401


def test_a_revoked_application_is_closed_at_once(cast: Cast, callers: Callers) -> None:
    revoke_application(actor=cast.alice, application=cast.application)
    assert callers.app.get("/runs").status == 401


def test_an_agents_account_never_authenticates(cast: Cast, callers: Callers) -> None:
    ApiKey.objects.filter(user=cast.bob).update(user=cast.agent.service_account)
    assert callers.bob.get("/runs").status == 401


def test_a_verified_session_of_staff_opens(cast: Cast) -> None:
    device = give_second_factor(cast.bob)
    assert signed_in(cast.bob, device).get("/runs").status == 200


def test_a_session_without_second_factor_does_not(cast: Cast) -> None:
    assert signed_in(cast.bob).get("/runs").status == 401


def test_the_demo_waives_it_on_this_machine_only(cast: Cast, settings: Settings) -> None:
    settings.DEMO = True
    caller = signed_in(cast.bob)
    assert caller.get("/runs").status == 200
    caller.client.defaults["REMOTE_ADDR"] = "192.0.2.7"
    assert caller.get("/runs").status == 401


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"])
def test_what_a_proxy_on_this_machine_hands_on_comes_from_elsewhere(
    cast: Cast, settings: Settings, header: str
) -> None:
    settings.DEMO = True
    caller = signed_in(cast.bob)
    caller.client.defaults[header] = "192.0.2.7"
    assert caller.get("/runs").status == 401


def test_a_session_of_somebody_who_is_not_staff_does_not_open(cast: Cast) -> None:
    device = give_second_factor(cast.bob)
    User.objects.filter(pk=cast.bob.pk).update(is_staff=False)
    assert signed_in(cast.bob, device).get("/runs").status == 401


def test_a_session_writes_with_a_csrf_token_only(cast: Cast) -> None:
    caller = signed_in(cast.bob, give_second_factor(cast.bob), csrf=True)
    refused = caller.post("/runs", {}, key="k")
    assert (refused.status, refused.code) == (403, "permission_denied")


def test_step_up_opens_a_window_of_a_minute(cast: Cast, callers: Callers) -> None:
    answer = callers.fiona.post("/step-up", {"otp": current_code(TOTPDevice.objects.get(user=cast.fiona))})
    assert answer.status == 200
    window = ApiKey.objects.get(user=cast.fiona).verified_until
    assert window is not None
    assert timedelta(seconds=50) < window - timezone.now() <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"otp": "000000"}, 403, "wrong_second_factor"),
        ({"otp": 123456}, 422, "validation_failed"),
        ({"otp": ""}, 422, "validation_failed"),
        ({}, 422, "validation_failed"),
        ({"otp": "123456", "user": "alice"}, 422, "validation_failed"),
    ],
)
def test_step_up_refuses(callers: Callers, body: object, status: int, code: str) -> None:
    answer = callers.fiona.post("/step-up", body)
    assert (answer.status, answer.code) == (status, code)


def test_a_code_counts_once(cast: Cast, callers: Callers) -> None:
    code = current_code(TOTPDevice.objects.get(user=cast.fiona))
    assert [callers.fiona.post("/step-up", {"otp": code}).status for _ in range(2)] == [200, 403]


def test_step_up_is_for_people_with_a_key_and_an_authenticator(cast: Cast, callers: Callers) -> None:
    assert callers.app.post("/step-up", {"otp": "123456"}).code == "not_a_person"
    assert callers.bob.post("/step-up", {"otp": "123456"}).code == "no_second_factor"
    session = signed_in(cast.bob, give_second_factor(cast.bob))
    assert session.post("/step-up", {"otp": "123456"}).code == "needs_api_key"
