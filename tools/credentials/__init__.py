"""Just-in-time credentials: leased for one attempt, between permit and adapter, and ended after it."""

from tools.credentials.leasing import with_credential

__all__ = ["with_credential"]
