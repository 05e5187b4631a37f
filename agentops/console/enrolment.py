"""How a person gets a second factor: a one-time code from an administrator, then an app of their own.

The very first administrator gets the one-time code from ``manage.py addstatictoken USERNAME``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qrcode
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_otp import login as remember_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from qrcode.image.svg import SvgPathImage

from agentops.console.second_factor import note_confirmation
from agentops.console.security_keys import finish_registration, keys_of
from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser


KEY_NAME_LIMIT = 60


def issue_enrolment_code(*, actor: AbstractUser, user: AbstractUser) -> str:
    """Forget the user's second factors, keys too, and return a code for one sign-in, which is shown once.

    Raises PolicyDenied for anyone but a superuser: who issues codes can become anybody.
    """
    if not (actor.is_active and actor.is_superuser):
        raise PolicyDenied("not_superuser", "Only a superuser may issue enrolment codes.")
    code = str(StaticToken.random_token())
    with transaction.atomic():
        TOTPDevice.objects.filter(user_id=user.pk).delete()
        StaticDevice.objects.filter(user_id=user.pk).delete()
        keys_of(user).delete()
        device = StaticDevice.objects.create(user_id=user.pk, name="one-time code")
        device.token_set.create(token=code)
        _record(actor, user, "person.enrolment_code_issued")
    return code


def pending_device(user: AbstractUser) -> TOTPDevice:
    """Return the device that the user is setting up, made on the first call."""
    # Two requests at once may make two; the elder is used, the other goes with the first confirmation.
    waiting = TOTPDevice.objects.filter(user_id=user.pk, confirmed=False).order_by("pk").first()
    return waiting or TOTPDevice.objects.create(user_id=user.pk, confirmed=False, name="authenticator app")


def confirm_device(request: HttpRequest, user: AbstractUser, code: str) -> None:
    """Take the device into service, in place of every older one. Raises ValidationFailed for a wrong code."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().get(pk=pending_device(user).pk)
        confirmed = device.verify_is_allowed()[0] and device.verify_token(code.strip())
        if confirmed:
            TOTPDevice.objects.filter(user_id=user.pk).exclude(pk=device.pk).delete()
            StaticDevice.objects.filter(user_id=user.pk).delete()
            device.confirmed = True
            device.save()
            _record(user, user, "person.second_factor_enrolled")
    # Outside the transaction, or the device's count of failed attempts would be rolled back.
    if not confirmed:
        raise ValidationFailed("wrong_code", "That code is not right. Wait for the next one and try again.")
    remember_device(request, device)
    note_confirmation(request)


def add_key(request: HttpRequest, user: AbstractUser, answer: Any, name: str) -> None:  # Any: JSON
    """Take a security key into service beside what is there. Raises PolicyDenied for an answer that does not fit."""
    with transaction.atomic():
        device: Any = finish_registration(request, user, answer)  # Any: django-otp ships no types
        device.name = name.strip()[:KEY_NAME_LIMIT] or "security key"
        device.save(update_fields=["name"])
        StaticDevice.objects.filter(user_id=user.pk).delete()
        _record(user, user, "person.key_added", {"key": device.credential_id_sha256})
    remember_device(request, device)
    note_confirmation(request)


def remove_key(user: AbstractUser, pk: str) -> None:
    """Forget a key; raises StateConflict for the last second factor."""
    with transaction.atomic():
        held = list(keys_of(user).select_for_update())
        found = next((key for key in held if str(key.pk) == pk), None)
        if found is None:
            raise NotFound("unknown_key", "There is no such key of yours.")
        if len(held) == 1 and not TOTPDevice.objects.filter(user_id=user.pk, confirmed=True).exists():
            raise StateConflict("last_factor", "This is your only second factor: add another one first.")
        _record(user, user, "person.key_removed", {"key": found.credential_id_sha256})
        found.delete()


def draw_qr_code(device: TOTPDevice) -> SafeString:
    """Return the device's secret as an SVG that an authenticator app can scan."""
    image = qrcode.make(device.config_url, image_factory=SvgPathImage, box_size=12)
    drawn: str = image.to_string(encoding="unicode")
    return mark_safe(drawn)  # noqa: S308  drawn by us: squares, no text


def _record(actor: AbstractUser, user: AbstractUser, kind: str, facts: dict[str, str] | None = None) -> None:
    record(user.pk, "person", Draft(kind=kind, at=timezone.now(), facts=facts or {}, actor=actor.pk))
