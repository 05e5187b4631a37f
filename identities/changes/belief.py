"""Whose tokens prove to a client who its user is, as a governed change: such a token widens for whom runs act."""

from __future__ import annotations

import hashlib

from identities.changes.change import Change, Fields
from identities.models import TokenIssuer, User

BELIEVE = "issuer.add"
ADD = "identities.add_tokenissuer"
SAID = ("issuer", "audience", "jwks_url", "algorithms", "allow_private")


def describe_issuer(row: TokenIssuer) -> Change:
    """Describe that an issuer is believed when a client presents its tokens, by a row yet to be written."""
    said = {name: getattr(row, name) for name in SAID}
    of_client = {"client_id": str(row.client_id), **said}
    return Change(
        verb=BELIEVE,
        subject=_subject_of(row),
        team=row.team,
        permission=ADD,
        title=f"{row.client.username} may present tokens of {row.issuer}",
        arguments={"client": str(row.client_id), **said},
        before=None,
        after=of_client,
        loosening=("issuer",),
    )


def _subject_of(row: TokenIssuer) -> str:
    # The guard of the table makes the same: an address alone is longer than what names a subject.
    return f"{row.client_id}:{hashlib.sha256(row.issuer.encode()).hexdigest()}"


def carry_out_belief(actor: User, arguments: Fields) -> object:
    """Believe the issuer that a proposal names."""
    from identities.services import add_issuer  # which describes itself here

    said = {name: arguments[name] for name in SAID}
    return add_issuer(actor=actor, client=User.objects.get(pk=arguments["client"]), **said)
