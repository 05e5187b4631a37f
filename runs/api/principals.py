"""For whom a run is to act, as the caller says; whether it may say so is decided when the run starts."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from agentops.errors import PolicyDenied, ValidationFailed
from identities.models import STAFF_ISSUER, User
from identities.oauth.compact import TokenRefused
from identities.oauth.errors import invalid_request
from identities.oauth.issuers import ProvenUser, prove_user
from identities.oauth.refusals import record_refusal


def read_proof(request: HttpRequest, actor: User, token: str | None) -> ProvenUser | None:
    """Return whom the user's token proves, None without one.

    Raises PolicyDenied `principal_not_proven`, and does not say which check failed; the ledger does.
    """
    if token is None:
        return None
    if actor.kind != User.Kind.APPLICATION:
        raise PolicyDenied(
            "principal_not_proven", "People start runs for themselves: leave subject_token out."
        )
    try:
        return prove_user(actor, token)
    except TokenRefused as refused:
        refusal = invalid_request(f"subject_{refused.reason}", "The user's token is not accepted.")
        refusal.account = actor
        record_refusal(refusal, request)
        raise PolicyDenied("principal_not_proven", "The user's token is not accepted.") from None


def principal_of(
    actor: User, named: Mapping[str, str] | None, proven: ProvenUser | None = None
) -> tuple[str, str]:
    """Return issuer and subject of the run's principal.

    Raises ValidationFailed when an application names nobody, PolicyDenied `principal_not_proven` when a
    person names somebody else: the same username at another issuer is another person.
    """
    if proven is not None:
        known = (proven.issuer, proven.subject)
        if named is not None and (named["issuer"], named["subject"]) != known:
            raise PolicyDenied("principal_not_proven", "The token is not this principal's.")
        return known
    if actor.kind == User.Kind.APPLICATION:
        if named is None:
            raise ValidationFailed("principal_missing", "Say for which user the run acts: principal.")
        return named["issuer"], named["subject"]
    own = (STAFF_ISSUER, actor.get_username())
    if named is not None and (named["issuer"], named["subject"]) != own:
        raise PolicyDenied("principal_not_proven", "People start runs for themselves: leave principal out.")
    return own
