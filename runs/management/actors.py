"""Who acts when a command is given at a terminal."""

from __future__ import annotations

from django.core.management.base import CommandError

from identities.models import User


def find_actor(username: str | None) -> User:
    """Return who acts: the named person, or the only superuser there is. Raises CommandError."""
    people = User.objects.filter(kind="person", is_active=True)
    if username is not None:
        person = people.filter(username=username).first()
        if person is None:
            raise CommandError(f"there is no active person {username!r}")
        return person
    superusers = list(people.filter(is_superuser=True)[:2])
    if len(superusers) == 1:
        return superusers[0]
    hint = (
        "there are several superusers"
        if superusers
        else "there is no superuser: create one with createsuperuser"
    )
    raise CommandError(f"{hint}; say who acts with --as USERNAME")
