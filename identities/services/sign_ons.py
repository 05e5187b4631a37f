"""Signing on at the company's identity provider: an account follows the groups that its person is in there."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.factors import require_fresh_factor
from identities.models import ProviderAccount, Team, User
from identities.policies import require
from identities.querysets import is_known_person
from identities.roles import ROLES
from identities.services.keys import end_api_keys_of
from identities.services.people import insert_person, set_rights
from identities.services.teams import set_membership

_UNFIT = re.compile(r"[^A-Za-z0-9_.+-]")


@dataclass(frozen=True, slots=True)
class Proven:
    """Whom the provider named, and what their groups are here."""

    issuer: str
    subject: str
    name: str
    roles: frozenset[str]
    teams: frozenset[str]
    governed_teams: frozenset[str]

    @property
    def cause(self) -> dict[str, str]:
        """Return why the account is changed: nobody here did it."""
        return {"by": "single_sign_on", "issuer": self.issuer}


def known_person(issuer: str, subject: str) -> User | None:
    """Return whose account this is: by the provider's word for them, never by a name or an e-mail address."""
    found = ProviderAccount.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    return found.user if found else None


def sign_on(proven: Proven) -> User:
    """Return the person, whose account is made with their first role, and in line with their groups.

    Raises PolicyDenied: `account_closed`, and `no_role`, by when what they had here has ended.
    """
    # What ends with the last role stays ended when the sign-on is refused.
    with transaction.atomic():
        person = known_person(proven.issuer, proven.subject)
        if person is not None:
            person = User.objects.select_for_update().get(pk=person.pk)
            if person.is_active:
                _bring_into_line(person, proven)
        elif proven.roles:
            person = _make_person(proven)
    if person is not None and not person.is_active:
        raise PolicyDenied("account_closed", "this account is closed")
    if person is None or not proven.roles:
        raise PolicyDenied("no_role", "none of the groups gives a role")
    return person


@transaction.atomic
def link_account(*, actor: User, proven: Proven) -> User:
    """Have the provider's account be the actor's own from now on: their roles follow its groups, their password ends.

    Raises PolicyDenied `no_role`, and StateConflict: `linked_already`, `linked_elsewhere` where the provider's account
    is somebody's here, `last_way_in` where nobody else could set things up while the provider is away.
    """
    require_fresh_factor(actor)
    person = User.objects.select_for_update().get(pk=actor.pk, kind=User.Kind.PERSON)
    _check_link(person, proven)
    insert_row(ProviderAccount(user=person, issuer=proven.issuer, subject=proven.subject))
    # Whoever leaves the company loses the way in there, and must not keep another one here.
    person.set_unusable_password()
    person.save(update_fields=["password"])
    draft = Draft("person.linked", timezone.now(), {"issuer": proven.issuer}, actor=actor.id)
    record(person.id, "person", draft)
    _bring_into_line(person, proven)
    return person


@transaction.atomic
def unlink_account(*, actor: User, person: User) -> User:
    """Have the provider's account be this person's no longer, as themselves or as who changes people's rights.

    What its groups gave ends with it, with all sessions and API keys: nobody gets in before a superuser has given
    them rights and a password. Who signs on with that account from now on is somebody else here. Raises StateConflict:
    `not_linked`, and `last_way_in` where no other superuser could get in.
    """
    if not (is_known_person(actor) and actor.pk == person.pk):
        require(actor, "identities.change_user", None)
    require_fresh_factor(actor)
    locked = User.objects.select_for_update().get(pk=person.pk, kind=User.Kind.PERSON)
    linked = ProviderAccount.objects.filter(user=locked).first()
    if linked is None:
        raise StateConflict("not_linked", "this account does not sign on at the provider")
    if locked.is_superuser and not _others_get_in(locked):
        raise StateConflict("last_way_in", "no other superuser could get in, and give the rights back")
    linked.delete()
    record(
        locked.id,
        "person",
        Draft("person.unlinked", timezone.now(), {"issuer": linked.issuer}, actor=actor.id),
    )
    _take_rights(locked, actor)
    return locked


def _take_rights(person: User, actor: User) -> None:
    cause = {"by": "unlinking"}
    kept = sorted(set(person.groups.values_list("name", flat=True)) - ROLES.keys())
    set_rights(
        person, active=person.is_active, staff=False, superuser=False, groups=kept, facts=cause, actor=actor
    )
    _end_access(person, cause)


def _others_get_in(person: User) -> bool:
    """Return whether another superuser has some way in; the rows are locked, or two might leave at once."""
    others = _other_superusers(person)
    linked = ProviderAccount.objects.filter(user__in=others).exists()
    return linked or any(other.has_usable_password() for other in others)


def _check_link(person: User, proven: Proven) -> None:
    if not person.is_active:
        raise PolicyDenied("account_closed", "this account is closed")
    if not proven.roles:
        raise PolicyDenied(
            "no_role", "none of the groups gives a role: with this account you would lose all rights"
        )
    if ProviderAccount.objects.filter(user=person).exists():
        raise StateConflict("linked_already", "you sign on at the provider already")
    if known_person(proven.issuer, proven.subject) is not None:
        detail = "that account has one here: have one of the two closed, nobody acts as two people"
        raise StateConflict("linked_elsewhere", detail)
    if person.is_superuser and not _others_by_password(person):
        raise StateConflict("last_way_in", "no other superuser could sign in while the provider is away")


def _others_by_password(person: User) -> bool:
    """Return whether another superuser has a password; the rows are locked, or two might leave at once."""
    return any(other.has_usable_password() for other in _other_superusers(person))


def _other_superusers(person: User) -> list[User]:
    others = User.objects.select_for_update().filter(is_superuser=True, is_active=True, kind=User.Kind.PERSON)
    return list(others.exclude(pk=person.pk).order_by("pk"))


def _bring_into_line(person: User, proven: Proven) -> None:
    present = set(person.groups.values_list("name", flat=True))
    # What is given tool by tool stays with people who stay.
    wanted = (present - ROLES.keys()) | proven.roles if proven.roles else set()
    is_staff = bool(proven.roles)
    changes = set_rights(
        person,
        active=True,
        staff=is_staff,
        # Nobody becomes one by a group, and nobody comes back as one.
        superuser=person.is_superuser and is_staff,
        groups=sorted(wanted),
        facts=proven.cause,
        actor=None,
    )
    if changes and not is_staff:
        _end_access(person, proven.cause)
    _set_teams(person, proven)


def _end_access(person: User, cause: Mapping[str, str]) -> None:
    # Sessions are bound to the password's hash: with a new one, which nobody knows, all of them end.
    person.set_unusable_password()
    person.save(update_fields=["password"])
    end_api_keys_of(person, cause)


def _set_teams(person: User, proven: Proven) -> None:
    governed = Team.objects.select_for_update().filter(slug__in=proven.governed_teams).order_by("pk")
    wanted = proven.teams if proven.roles else frozenset()
    for team in governed:
        set_membership(team, person, belongs=team.slug in wanted, facts=proven.cause)


def _make_person(proven: Proven) -> User:
    person = User(username=_free_name(proven), is_staff=True)
    insert_person(person, password=None, groups=sorted(proven.roles), facts=proven.cause, actor=None)
    insert_row(ProviderAccount(user=person, issuer=proven.issuer, subject=proven.subject))
    _set_teams(person, proven)
    return person


def _free_name(proven: Proven) -> str:
    """Return a username that says where the account is from; one that was somebody's comes back as another."""
    name = _UNFIT.sub("", proven.name.partition("@")[0])[:50] or "staff"
    host = (urlsplit(proven.issuer).hostname or "")[:80]
    mark = hashlib.sha256(f"{proven.issuer} {proven.subject}".encode()).hexdigest()[:8]
    is_taken = User.objects.filter(username=f"{name}@{host}").exists()
    return f"{name}.{mark}@{host}" if is_taken else f"{name}@{host}"
