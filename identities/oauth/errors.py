"""Refusals in the words of OAuth: a code for clients, a reason for the ledger.

What a client is told names no more than the standards do: whether an account exists, or which check of a
proof failed, is for the ledger only.
"""

from __future__ import annotations

from identities.models import User

STATUSES = {"invalid_client": 401, "temporarily_unavailable": 429, "server_error": 500}


class OAuthError(Exception):
    """Report a refusal: `error` as RFC 6749 (5.2), 8693 and 8707 have it, `reason` for the ledger."""

    def __init__(
        self, error: str, reason: str, description: str = "", *, status: int = 0, retry_after_s: int = 0
    ) -> None:
        super().__init__(error, reason)
        self.error = error
        self.reason = reason
        self.description = description
        self.status = status or STATUSES.get(error, 400)
        self.retry_after_s = retry_after_s
        self.account: User | None = None  # whose stream tells of it, once that is known


def invalid_request(reason: str, description: str = "") -> OAuthError:
    """Return the refusal of a malformed request, or of a token that proves nothing (RFC 8693, 2.2.2)."""
    return OAuthError("invalid_request", reason, description)


def invalid_client(reason: str, account: User | None = None) -> OAuthError:
    """Return the refusal of who asks; the client is not told why."""
    refusal = OAuthError("invalid_client", reason, "Client authentication failed.")
    refusal.account = account
    return refusal
