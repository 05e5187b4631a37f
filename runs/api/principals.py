"""For whom a run acts, as far as the caller can prove it."""

from __future__ import annotations

from collections.abc import Mapping

from agentops.errors import PolicyDenied, ValidationFailed
from identities.models import User

# Members of staff who start runs for themselves are known to this installation, by their username.
STAFF_ISSUER = "agentops"


def principal_of(actor: User, named: Mapping[str, str] | None) -> tuple[str, str]:
    """Return issuer and subject of the run's principal.

    Raises ValidationFailed when an application names nobody, PolicyDenied `principal_not_proven` when the
    caller names somebody for whom it has no proof.
    """
    if actor.kind == User.Kind.APPLICATION:
        return _asserted_by_application(actor, named)
    own = (STAFF_ISSUER, actor.get_username())
    if named is not None and (named["issuer"], named["subject"]) != own:
        raise PolicyDenied("principal_not_proven", "People start runs for themselves: leave principal out.")
    return own


def _asserted_by_application(actor: User, named: Mapping[str, str] | None) -> tuple[str, str]:
    if named is None:
        raise ValidationFailed("principal_missing", "Say for which user the run acts: principal.")
    if not actor.application.may_assert_users:
        raise PolicyDenied("principal_not_proven", "This application is not trusted to say for whom it acts.")
    return named["issuer"], named["subject"]
