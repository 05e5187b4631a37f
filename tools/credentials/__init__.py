"""Just-in-time credentials: leased or minted for one attempt, between permit and adapter, and ended after it."""

from tools.credentials.acting import Acting, find_acting
from tools.credentials.leasing import with_credential
from tools.credentials.tokens import with_token

__all__ = ["Acting", "find_acting", "with_credential", "with_token"]
