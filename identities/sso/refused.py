"""Refusals of a sign-on: a reason for the ledger, words for the person. Nothing that the provider wrote is shown."""

from __future__ import annotations

WORDS = {
    "account_closed": "Your account here is closed. Ask an administrator.",
    "at_provider": "The identity provider did not sign you in.",
    "auditor_only": "Your groups make you an auditor and something else, too, and an auditor changes nothing. "
    "Ask whoever manages your groups.",
    "locked": "There were too many wrong attempts. Wait a quarter of an hour.",
    "misconfigured": "Signing on is not set up rightly here. Ask an administrator.",
    "no_role": "You are in no group that may use this console. Ask whoever manages your groups.",
    "not_signed_in": "Sign in here first, as whose account it is to be.",
    "rate_limit": "Too many people sign on from where you are just now. Wait a minute.",
    "state": "This sign-on was not begun here, took too long, or was answered already.",
}
UNREACHABLE = "The identity provider cannot be asked just now. Try again in a minute."
OTHERWISE = "The identity provider's answer was not accepted. If that happens again, tell an administrator."


class SignOnRefused(Exception):
    """Nobody is signed in; `reason` says why, for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def words(self) -> str:
        """Return what the person is told."""
        return WORDS.get(self.reason, UNREACHABLE if self.reason.startswith("provider_") else OTHERWISE)
