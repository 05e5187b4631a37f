"""Accounts made at a terminal, past the services: on the record all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import UserManager
from django.db import transaction
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record

if TYPE_CHECKING:
    from identities.models import User

    Accounts = UserManager[User]
else:
    Accounts = UserManager


class RecordedAccounts(Accounts):
    """Django's manager, through which ``manage.py createsuperuser`` goes."""

    use_in_migrations = False

    @transaction.atomic
    def create_superuser(self, *args: Any, **kwargs: Any) -> User:  # Any: Django's own arguments
        """Create a superuser, and record it: nobody of this installation did it, so the account is its own actor."""
        person = super().create_superuser(*args, **kwargs)
        record_bootstrap(person, by="terminal")
        return person


def record_bootstrap(person: User, *, by: str) -> None:
    """Record an account that no other account made, with what it was given, in the caller's transaction."""
    facts = {"by": by, "staff": person.is_staff, "superuser": person.is_superuser, "groups": []}
    record(person.pk, "person", Draft("person.created", timezone.now(), facts, actor=person.pk))
