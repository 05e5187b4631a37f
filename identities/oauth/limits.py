"""How many requests the token endpoints take: per address before anything is proven, per client after it.

What a request claims to come from is not counted: whoever knows a client's name could use its quota up.
"""

from __future__ import annotations

from django.http import HttpRequest

from agentops.api.limits import count_request, read_policy
from agentops.strangers import network_of
from identities.oauth.errors import OAuthError


def count_address(request: HttpRequest) -> None:
    """Count a request for its address; raises OAuthError beyond the limit."""
    _count("token_address", network_of(request))


def count_client(client_id: str) -> None:
    """Count a request of an authenticated client; raises OAuthError beyond the limit."""
    _count("token", client_id)


def _count(policy: str, of_whom: str) -> None:
    standing = count_request(read_policy(policy), of_whom)
    if standing.is_exceeded:
        raise OAuthError(
            "temporarily_unavailable",
            "rate_limit",
            "Too many requests.",
            retry_after_s=standing.resets_in_s,
        )
