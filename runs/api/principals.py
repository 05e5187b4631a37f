"""For whom a run is to act, as the caller says; whether it may say so is decided when the run starts."""

from __future__ import annotations

from collections.abc import Mapping

from agentops.errors import PolicyDenied, ValidationFailed
from identities.models import STAFF_ISSUER, User


def principal_of(actor: User, named: Mapping[str, str] | None) -> tuple[str, str]:
    """Return issuer and subject of the run's principal.

    Raises ValidationFailed when an application names nobody, PolicyDenied `principal_not_proven` when a
    person names somebody else: the same username at another issuer is another person.
    """
    if actor.kind == User.Kind.APPLICATION:
        if named is None:
            raise ValidationFailed("principal_missing", "Say for which user the run acts: principal.")
        return named["issuer"], named["subject"]
    own = (STAFF_ISSUER, actor.get_username())
    if named is not None and (named["issuer"], named["subject"]) != own:
        raise PolicyDenied("principal_not_proven", "People start runs for themselves: leave principal out.")
    return own
