"""API keys: what authenticates, what does not, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.conf import LazySettings
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import ApiKey, User
from identities.services import authenticate, issue_api_key, revoke_api_key, revoke_application, step_up
from tests.cast import Cast
from tests.factories import AgentFactory, PersonFactory, give_second_factor
from tests.factories.identities import current_code
from tests.ledger import kinds_of, last_entry


def issue(cast: Cast) -> tuple[ApiKey, str]:
    return issue_api_key(actor=cast.alice, user=cast.application.service_account, label="website")


def test_key_authenticates_and_is_not_kept(cast: Cast) -> None:
    key, plaintext = issue(cast)

    found = authenticate(plaintext)
    assert found is not None
    assert found.user == cast.application.service_account
    prefix, key_id, secret = plaintext.split("_", 2)
    assert (prefix, key_id) == ("aok", key.key_id)
    kept = ApiKey.objects.filter(pk=key.pk).values().get()
    assert secret not in str(kept)
    assert secret not in str(last_entry(cast.application.id))


def test_key_ends_after_90_days_by_default(cast: Cast) -> None:
    key, plaintext = issue(cast)

    assert key.expires_at - key.created_at < timedelta(days=90, minutes=1)
    with time_machine.travel(key.expires_at - timedelta(seconds=1), tick=False):
        assert authenticate(plaintext) is not None
    with time_machine.travel(key.expires_at, tick=False):
        assert authenticate(plaintext) is None


@pytest.mark.parametrize("days", [0, -1, 367])
def test_key_without_a_sensible_end_is_refused(cast: Cast, days: int) -> None:
    end = timezone.now() + timedelta(days=days)
    with pytest.raises(ValidationFailed):
        issue_api_key(actor=cast.alice, user=cast.application.service_account, label="x", expires_at=end)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text.upper(),
        lambda text: text.replace("aok_", ""),
        lambda text: "aok_" + "0" * 12 + text[16:],
        lambda text: f" {text}",
        lambda text: f"{text}\n",
        lambda text: text[:10] + "\0" + text[11:],
        lambda text: text[:20] + "\ud800" + text[21:],
        lambda _: "",
        lambda _: "_" * 10_000,
    ],
)
def test_anything_else_does_not_authenticate(cast: Cast, spoil: Callable[[str], str]) -> None:
    _, plaintext = issue(cast)

    assert authenticate(spoil(plaintext)) is None


def test_revoked_key_stops_at_once_and_for_good(cast: Cast) -> None:
    key, plaintext = issue(cast)

    revoke_api_key(actor=cast.alice, key=key)
    assert authenticate(plaintext) is None
    revoke_api_key(actor=cast.alice, key=key)
    assert kinds_of(cast.application.id) == ["key.issued", "key.revoked"]


def test_keys_of_closed_accounts_are_refused(cast: Cast) -> None:
    _, of_application = issue(cast)
    _, of_person = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")

    revoke_application(actor=cast.alice, application=cast.application)
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)

    assert authenticate(of_application) is None
    assert authenticate(of_person) is None
    with pytest.raises(StateConflict):
        issue(cast)


def test_application_state_alone_refuses_its_keys(cast: Cast) -> None:
    _, plaintext = issue(cast)
    type(cast.application).objects.filter(pk=cast.application.pk).update(state="revoked")

    assert authenticate(plaintext) is None


def test_nobody_gets_somebody_elses_key(cast: Cast) -> None:
    for actor, user in [
        (cast.ada, cast.bob),  # not even a superuser: that would be signing in as Bob
        (cast.charlie, cast.application.service_account),
        (cast.bob, cast.application.service_account),
        (cast.ada, cast.agent.service_account),
        (cast.agent.service_account, cast.agent.service_account),
    ]:
        with pytest.raises(PolicyDenied):
            issue_api_key(actor=actor, user=user, label="x")
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")
    with pytest.raises(PolicyDenied):
        revoke_api_key(actor=cast.charlie, key=key)
    revoke_api_key(actor=cast.ada, key=key)


def test_last_use_is_written_once_a_minute(cast: Cast) -> None:
    key, plaintext = issue(cast)
    start = timezone.now()

    def last_used_after(seconds: int) -> object:
        with time_machine.travel(start + timedelta(seconds=seconds), tick=False):
            authenticate(plaintext)
        key.refresh_from_db()
        return key.last_used_at

    first = last_used_after(1)
    assert first is not None
    assert last_used_after(50) == first
    assert last_used_after(62) != first


def test_keys_survive_a_change_of_the_secret_key(cast: Cast, settings: LazySettings) -> None:
    _, plaintext = issue(cast)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert authenticate(plaintext) is not None
    settings.SECRET_KEY_FALLBACKS = []
    assert authenticate(plaintext) is None


def test_step_up_opens_the_window(cast: Cast, settings: LazySettings) -> None:
    device = give_second_factor(cast.bob)
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")

    with time_machine.travel(timezone.now(), tick=False):
        verified = step_up(key=key, otp=current_code(device))
        assert verified.verified_until == timezone.now() + timedelta(seconds=settings.STEP_UP_WINDOW_S)
    assert kinds_of(cast.bob.id) == ["key.issued", "key.verified"]


def test_code_fits_once(cast: Cast) -> None:
    device = give_second_factor(cast.bob)
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")

    with time_machine.travel(timezone.now(), tick=False):
        code = current_code(device)
        step_up(key=key, otp=code)
        with pytest.raises(PolicyDenied, match="wrong_second_factor"):
            step_up(key=key, otp=code)


@pytest.mark.parametrize("otp", ["", "abc", "12345", "0" * 400, "\uff11\uff12\uff13\uff14\uff15\uff16"])
def test_wrong_code_counts_and_then_throttles(cast: Cast, otp: str) -> None:
    device = give_second_factor(cast.bob)
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")

    with time_machine.travel(timezone.now(), tick=False):
        with pytest.raises(PolicyDenied, match="wrong_second_factor"):
            step_up(key=key, otp=otp)
        device.refresh_from_db()
        assert device.throttling_failure_count == 1
        with pytest.raises(PolicyDenied, match="throttled"):
            step_up(key=key, otp=current_code(device))
    key.refresh_from_db()
    assert key.verified_until is None


def test_step_up_needs_a_confirmed_device_of_a_person(cast: Cast) -> None:
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")
    device = give_second_factor(cast.bob)
    device.confirmed = False
    device.save()

    with pytest.raises(PolicyDenied, match="no_second_factor"):
        step_up(key=key, otp=current_code(device))
    machine, _ = issue(cast)
    with pytest.raises(PolicyDenied, match="not_a_person"):
        step_up(key=machine, otp="123456")


def test_agents_and_inactive_people_get_no_keys(cast: Cast) -> None:
    agent = AgentFactory.create(team=cast.team)
    gone = PersonFactory.create(is_active=False)

    for account in (agent.service_account, gone):
        with pytest.raises(PolicyDenied):
            issue_api_key(actor=account, user=account, label="x")
