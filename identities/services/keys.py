"""API keys: ``aok_<key id>_<secret>``, of which only the id and a peppered hash of the secret are kept."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.factors import require_fresh_factor
from identities.models import ApiKey, Application, User
from identities.peppers import peppered_hashes
from identities.policies import Decision, enforce, may_govern
from identities.querysets import is_known_person

BEARER = re.compile(r"aok_(?P<key_id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
DEFAULT_LIFE = timedelta(days=90)
LONGEST_LIFE = timedelta(days=366)
LAST_USE_ROUNDED_TO = timedelta(minutes=1)  # a busy key would otherwise write a row per request
PEPPER_LABEL = b"agentops.api-key.v1"


@transaction.atomic
def issue_api_key(
    *, actor: User, user: User, label: str, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Create a key; return it with the one text that authenticates, which is never to be seen again.

    Applications get keys from those who may govern them, people only from themselves, agents none.
    """
    account = User.objects.select_for_update().get(pk=user.pk)
    enforce(_may_issue(actor, account))
    require_fresh_factor(actor)
    now = timezone.now()
    end = now + DEFAULT_LIFE if expires_at is None else expires_at
    if not now < end <= now + LONGEST_LIFE:
        raise ValidationFailed("invalid_expiry", f"a key ends within {LONGEST_LIFE.days} days")
    if not _is_open(account):
        raise StateConflict("account_closed", "this account is closed: it gets no keys")
    secret = secrets.token_urlsafe(32)
    key = ApiKey(
        key_id=secrets.token_hex(6), secret_hash=_hash(secret), user=account, label=label, issued_by=actor,
        expires_at=end,
    )  # fmt: skip
    insert_row(key)
    _record(key, "key.issued", actor.id, {"expires_at": end.isoformat()})
    return key, f"aok_{key.key_id}_{secret}"


@transaction.atomic
def revoke_api_key(*, actor: User, key: ApiKey, emergency: bool = False) -> ApiKey:
    """Stop a key at once; an emergency asks for no fresh factor. Doing it twice is fine."""
    locked = ApiKey.objects.select_for_update(of=("self",)).select_related("user").get(pk=key.pk)
    enforce(_may_revoke(actor, locked.user))
    if not emergency:
        require_fresh_factor(actor)
    if locked.revoked_at is None:
        locked.revoked_at = timezone.now()
        locked.save(update_fields=["revoked_at"])
        _record(locked, "key.revoked", actor.id, {})
    return locked


def end_api_keys_of(person: User, facts: Mapping[str, object]) -> None:
    """Stop all keys of a person whose access has ended, in the caller's transaction; nobody here did it."""
    standing = ApiKey.objects.select_for_update(of=("self",)).select_related("user")
    for key in standing.filter(user=person, revoked_at=None).order_by("pk"):
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        _record(key, "key.revoked", None, facts)


def authenticate(bearer: str) -> ApiKey | None:
    """Return the valid key of a bearer text, None for anything else; its user is loaded with it."""
    parts = BEARER.fullmatch(bearer)
    if parts is None:
        return None
    found = ApiKey.objects.select_related("user", "user__application").filter(key_id=parts["key_id"]).first()
    # An unknown id costs the same hashes and comparisons as a wrong secret.
    matches = _matches(parts["secret"], found.secret_hash if found else "")
    now = timezone.now()
    if found is None or not matches or found.revoked_at is not None or found.expires_at <= now:
        return None
    if not _is_open(found.user):
        return None
    unused_lately = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USE_ROUNDED_TO)
    ApiKey.objects.filter(unused_lately, pk=found.pk).update(last_used_at=now)
    return found


def step_up(*, key: ApiKey, otp: str) -> ApiKey:
    """Open the window in which a person's key may decide, against a code of their authenticator.

    Raises PolicyDenied: no_second_factor, second_factor_throttled or wrong_second_factor.
    """
    if not is_known_person(key.user):
        raise PolicyDenied("not_a_person", "only a person has a second factor")
    # A transaction of its own: a refusal must not roll back the device's count of failures.
    with transaction.atomic():
        refusal = _verify_code(key.user, otp)
        if refusal is None:
            note_verified(key, {})
    if refusal is not None:
        raise refusal
    return key


def note_verified(key: ApiKey, facts: Mapping[str, object], signed: dict[str, str] | None = None) -> ApiKey:
    """Open the window of a key whose person has just given their second factor, in the caller's transaction."""
    key.verified_until = timezone.now() + timedelta(seconds=settings.STEP_UP_WINDOW_S)
    key.signed = signed
    key.save(update_fields=["verified_until", "signed"])
    _record(key, "key.verified", key.user_id, facts)
    return key


def confirm_person(*, person: User, otp: str) -> None:
    """Check a code of a person's authenticator at a terminal; raises PolicyDenied as ``step_up`` does."""
    with transaction.atomic():
        refusal = _verify_code(person, otp)
    if refusal is not None:
        raise refusal


def _verify_code(user: User, otp: str) -> PolicyDenied | None:
    devices = list(TOTPDevice.objects.devices_for_user(user, confirmed=True).select_for_update())
    if not devices:
        return PolicyDenied("no_second_factor", "no authenticator is set up for this account")
    open_devices = [device for device in devices if device.verify_is_allowed()[0]]
    if not open_devices:
        return PolicyDenied("second_factor_throttled", "too many wrong codes: wait before the next one")
    if any(device.verify_token(otp) for device in open_devices):
        return None
    return PolicyDenied("wrong_second_factor", "this code is not the authenticator's present one")


def _may_issue(actor: User, user: User) -> Decision:
    if user.kind == User.Kind.APPLICATION:
        return may_govern(actor, "identities.add_apikey", user.application.team, user.application)
    if user.kind == User.Kind.PERSON and is_known_person(actor) and actor.pk == user.pk:
        return Decision(True, ("their own key",))
    return Decision(False, ("people's keys are issued by themselves, agents have none",))


def _may_revoke(actor: User, user: User) -> Decision:
    if is_known_person(actor) and actor.is_superuser:
        return Decision(True, ("superuser",))
    return _may_issue(actor, user)


def _is_open(user: User) -> bool:
    if not user.is_active or user.kind == User.Kind.AGENT:
        return False
    return user.kind == User.Kind.PERSON or user.application.state == Application.State.ACTIVE


def _hash(secret: str) -> str:
    return next(peppered_hashes(secret, PEPPER_LABEL))


def _matches(secret: str, expected: str) -> bool:
    # Every one is compared, so that the time tells nothing.
    return (
        sum(hmac.compare_digest(candidate, expected) for candidate in peppered_hashes(secret, PEPPER_LABEL))
        > 0
    )


def _record(key: ApiKey, kind: str, actor: UUID | None, facts: Mapping[str, object]) -> None:
    """Record on the stream of whoever the key belongs to."""
    owner = key.user
    is_application = owner.kind == User.Kind.APPLICATION
    stream = owner.application.id if is_application else owner.id
    draft = Draft(kind, timezone.now(), {"key": str(key.id), **facts}, actor=actor)
    record(stream, "application" if is_application else "person", draft)
