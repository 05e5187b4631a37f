"""Where and of what somebody wants to be told by e-mail: their own word, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import MailPreference
from approvals.notices.kinds import list_kinds
from identities.factors import require_fresh_factor
from identities.models import User
from identities.querysets import is_known_person


def mail_kinds() -> list[str]:
    """Return of what people may be told by e-mail."""
    return [kind.name for kind in list_kinds() if kind.by_mail]


@transaction.atomic
def set_mail(*, actor: User, address: str, kinds: Sequence[str]) -> MailPreference | None:
    """Say where and of what one wants to be told; of nothing ends it, and forgets the address. Return what holds then.

    The address is personal: the entry holds it as content, which can be erased.
    """
    if not is_known_person(actor):
        raise PolicyDenied("not_a_person", "only people are told by e-mail")
    require_fresh_factor(actor)
    wanted = sorted(set(kinds))
    if unknown := set(wanted) - set(mail_kinds()):
        raise ValidationFailed("invalid_kinds", f"nobody is told by e-mail of {', '.join(sorted(unknown))}")
    if wanted:
        _check_address(address)
        values = {"address": address, "kinds": wanted}
        MailPreference.objects.update_or_create(user=actor, defaults=values)
    else:
        MailPreference.objects.filter(user=actor).delete()
    content = {"address": address} if wanted else None
    record(actor.pk, "person", Draft("mail.set", timezone.now(), {"kinds": wanted}, content, actor.pk))
    return MailPreference.objects.filter(user=actor).first()


def _check_address(address: str) -> None:
    try:
        validate_email(address)
    except ValidationError as error:
        raise ValidationFailed("invalid_address", "this is no e-mail address") from error
