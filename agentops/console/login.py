"""Signing in: password and code on one form, without asking which device the code is from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.second_factor import second_factor_is_waived
from agentops.console.security_keys import may_prove_by_key

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

    class OTPLoginForm(AdminAuthenticationForm):
        """What django-otp, which ships no types, adds to the admin's form."""

        otp_error_messages: dict[str, Any]

        def clean_otp(self, user: AbstractBaseUser | None) -> None: ...
else:
    from django_otp.admin import OTPAdminAuthenticationForm as OTPLoginForm

TOTP_DIGITS = 6


def find_device(user: AbstractBaseUser, code: str) -> Device | None:
    """Return the device that a code may be from, locked, by the code's shape: it is no failed attempt on another."""
    model: Any = TOTPDevice if len(code) == TOTP_DIGITS else StaticDevice  # Any: django-otp ships no types
    mine = model.objects.select_for_update().filter(user_id=user.pk, confirmed=True)
    device: Device | None = mine.order_by("pk").first()
    return device


class ConsoleLoginForm(OTPLoginForm):
    """Password plus second factor; only the demo on loopback may leave the code empty."""

    otp_device = None
    otp_challenge = None
    otp_token = forms.CharField(
        required=False,
        label="Code",
        help_text="From your authenticator app, or the one-time code you were given. "
        "Leave it empty if you have a security key.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )
    otp_error_messages = {
        **OTPLoginForm.otp_error_messages,
        "token_required": "Enter the code from your authenticator app. If you have none yet, "
        "ask an administrator for a one-time code.",
        "invalid_token": "That code is not right, or was used already. Wait for the next one and try again.",
    }

    def clean_otp(self, user: AbstractBaseUser | None) -> None:
        """Require the code unless the demo waives it here."""
        given = self.cleaned_data.get("otp_token")
        if not given and self.request is not None and second_factor_is_waived(self.request):
            return
        if (
            not given
            and user is not None
            and self.request is not None
            and may_prove_by_key(self.request, user)
        ):
            return  # the session knows the password only, and opens nothing until the key has answered
        super().clean_otp(user)

    def _chosen_device(self, user: AbstractBaseUser) -> Device | None:
        return find_device(user, str(self.cleaned_data.get("otp_token") or ""))

    def _update_form(self, user: AbstractBaseUser) -> None:
        """Leave the form as it is: a password is not sent back to the browser."""
