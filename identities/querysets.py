"""Which identities a person may see. The default is nothing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.db import models
from django.db.models import Exists, F, OuterRef, Q

if TYPE_CHECKING:
    from identities.models import (  # noqa: F401  named in strings
        AgentIdentity,
        Application,
        ChangeProposal,
        ChangeRule,
        Credential,
        Delegation,
        KillSwitch,
        Principal,
        Secret,
        SigningKey,
        Team,
        TokenIssuer,
        User,
    )


def is_known_person(user: Any) -> bool:  # Any: also an anonymous user
    """Return whether this is an active person's account."""
    return bool(user and user.is_authenticated and user.is_active and user.kind == "person")


class TeamQuerySet(models.QuerySet["Team"]):
    def visible_to(self, user: User) -> Self:
        """Return the teams a person belongs to; a superuser's are all."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(members=user)


class AgentIdentityQuerySet(models.QuerySet["AgentIdentity"]):
    def visible_to(self, user: User) -> Self:
        """Return the agents of a person's teams, or those that an application may start."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        if user.kind == "application":
            return self.filter(
                agentidentityuserobjectpermission__user=user,
                agentidentityuserobjectpermission__permission__codename="start_run",
            )
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)

    def unlooked_at(self, now: datetime) -> Self:
        """Return the active agents that nobody has recertified in time."""
        return self.filter(state="active", recertify_by__lte=now)

    def left_alone(self) -> Self:
        """Return the agents, not revoked, whose owner or sponsor has left."""
        left = Q(owner__is_active=False) | Q(sponsor__is_active=False)
        return self.filter(left).exclude(state="revoked")


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, user: User) -> Self:
        """Return the applications of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class PrincipalQuerySet(models.QuerySet["Principal"]):
    def visible_to(self, user: User) -> Self:
        """Return the end users whom a person's teams act for."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class KillSwitchQuerySet(models.QuerySet["KillSwitch"]):
    def visible_to(self, user: User) -> Self:
        """Return the switches about end users of a person's teams, and those that concern everybody."""
        if not is_known_person(user):
            return self.none()
        return (
            self
            if user.is_superuser
            else self.filter(models.Q(team=None) | models.Q(team__members=user)).distinct()
        )

    def thrown(self) -> Self:
        """Return those that stop something now."""
        return self.filter(lifted_at=None)

    def concerning(self, principal_id: UUID | None, provider: str = "") -> Self:
        """Return those that concern what is done for an end user, if for any, by a provider's model, if by any."""
        theirs = models.Q(scope="principal", target=str(principal_id or ""))
        return self.filter(
            models.Q(scope="everything") | theirs | models.Q(scope="provider", target=provider)
        )


class SecretQuerySet(models.QuerySet["Secret"]):
    def visible_to(self, user: User) -> Self:
        """Return the secrets of a person's teams."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class CredentialQuerySet(models.QuerySet["Credential"]):
    def visible_to(self, user: User) -> Self:
        """Return the credentials of the agents and applications of a person's teams."""
        if not is_known_person(user):
            return self.none()
        theirs = Q(owner__agent_identity__team__members=user) | Q(owner__application__team__members=user)
        return self if user.is_superuser else self.filter(theirs)

    def locking(self) -> Self:
        """Return the old generations that came back, while nobody has let their owner act again."""
        later = self.model.objects.filter(
            owner=OuterRef("owner"), generation__gt=OuterRef("generation"), revoked_at=None
        )
        # The lock ended the epoch of that key; what else ends one comes after somebody has looked.
        stopped = self.exclude(misused_at=None).filter(owner__token_epoch=F("epoch") + 1)
        return stopped.exclude(owner__agent_identity__state="active").exclude(Exists(later))


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    def visible_to(self, user: User) -> Self:
        """Return all: what there is to see of them is published anyway."""
        return self if is_known_person(user) else self.none()


class TokenIssuerQuerySet(models.QuerySet["TokenIssuer"]):
    def visible_to(self, user: User) -> Self:
        """Return the issuers that a person's teams believe."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class DelegationQuerySet(models.QuerySet["Delegation"]):
    def visible_to(self, user: User) -> Self:
        """Return what the clients of a person's teams were given."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(team__members=user)


class ChangeRuleQuerySet(models.QuerySet["ChangeRule"]):
    def visible_to(self, user: User) -> Self:
        """Return the rules that bind a person's teams, those for all teams included."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(Q(team=None) | Q(team__members=user)).distinct()


class ChangeProposalQuerySet(models.QuerySet["ChangeProposal"]):
    def visible_to(self, user: User) -> Self:
        """Return what was proposed for a person's teams, and by themselves."""
        if not is_known_person(user):
            return self.none()
        return self if user.is_superuser else self.filter(Q(maker=user) | Q(team__members=user)).distinct()

    def waiting(self, now: datetime) -> Self:
        """Return those that somebody may still decide about."""
        return self.filter(state="waiting", expires_at__gt=now)

    def about(self, agent: AgentIdentity) -> Self:
        """Return what was proposed for an agent: that it acts, what it may do, and how it behaves."""
        return self.filter(Q(subject=str(agent.pk)) | Q(subject__startswith=f"{agent.pk}:"))
