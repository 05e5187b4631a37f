"""The second factor of people who decide: how fresh it is, how it is confirmed, when the demo waives it."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as remember_device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_REAL_IP", "HTTP_VIA")
SESSION_KEY = "second_factor_at"
REQUIRED = "second_factor_required"  # the code of a refusal for want of a fresh factor
WRONG_CODE = (
    "That code is not right, or was used already. Nothing was done; wait for the next code and try again."
)


def second_factor_is_waived(request: HttpRequest) -> bool:
    """Return whether the demo on this very machine may skip the second factor.

    What a proxy here hands on comes from this machine, too, and whoever sent it from anywhere.
    """
    is_handed_on = any(header in request.META for header in FORWARDED)
    return bool(settings.DEMO) and request.META.get("REMOTE_ADDR") in LOOPBACK and not is_handed_on


def is_verified(request: HttpRequest) -> bool:
    """Return whether this session has passed a second factor of the user's own.

    A one-time enrolment code is none: somebody else issued it, and may have used it.
    """
    return getattr(request.user, "otp_device", None) is not None and not must_enrol(request)


def is_fresh(request: HttpRequest) -> bool:
    """Return whether the factor was given within ``STEP_UP_WINDOW_S`` seconds, as decisions require."""
    if second_factor_is_waived(request):
        return True
    given_at = float(request.session.get(SESSION_KEY, 0))
    return is_verified(request) and time.time() - given_at <= settings.STEP_UP_WINDOW_S


def note_confirmation(request: HttpRequest) -> None:
    """Remember that the factor was given just now."""
    request.session[SESSION_KEY] = time.time()


def confirm(request: HttpRequest, token: str) -> bool:
    """Check a code of the user's authenticator app and open the window for decisions.

    A code fits once; after a wrong one the device itself demands a growing pause. One-time enrolment codes,
    which somebody else issued, do not count.
    """
    with transaction.atomic():
        devices = TOTPDevice.objects.select_for_update().filter(user_id=request.user.pk, confirmed=True)
        device = next(
            (d for d in devices if d.verify_is_allowed()[0] and d.verify_token(token.strip())), None
        )
    if device is None:
        return False
    remember_device(request, device)
    note_confirmation(request)
    return True


def accept_code(request: HttpRequest) -> str:
    """Take the code that came with a form, where one is needed; return what is wrong with it, or nothing."""
    code = request.POST.get("code", "").strip()
    return WRONG_CODE if code and not is_fresh(request) and not confirm(request, code) else ""


def must_enrol(request: HttpRequest) -> bool:
    """Return whether the user came in with a one-time code and has to set up a device of their own first."""
    return isinstance(getattr(request.user, "otp_device", None), StaticDevice)
