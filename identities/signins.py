"""Signing in is an act of governance: it is on the record."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import User


@receiver(user_logged_in)
def record_sign_in(user: User, **_: Any) -> None:
    """Note who signed in, on the account's own stream."""
    with transaction.atomic():
        record(user.pk, "person", Draft("person.signed_in", timezone.now(), actor=user.pk))


@receiver(user_login_failed)
def record_refusal(credentials: dict[str, Any], **_: Any) -> None:
    """Note that a sign-in as a known person was refused; an unknown name is nobody's stream."""
    user = User.objects.filter(username=credentials.get("username"), kind=User.Kind.PERSON).first()
    if user is not None:
        with transaction.atomic():
            record(user.pk, "person", Draft("person.sign_in_refused", timezone.now()))
