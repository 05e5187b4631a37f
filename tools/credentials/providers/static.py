"""The sealed value as it is: the target knows nothing of leases, so there is nothing to end there."""

from __future__ import annotations

from uuid import UUID

from tools.credentials.providers import LeaseTerms, OpenSecret, Released


class StaticProvider:
    def handle_of(self, lease_id: UUID) -> str:
        return ""

    def issue(self, secret: OpenSecret, lease: LeaseTerms) -> Released:
        return Released(secret.value, lease.expires_at)

    def end(self, secret: OpenSecret, handle: str) -> None:
        return None
