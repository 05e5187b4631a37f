from __future__ import annotations

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        """Have ``verify`` compare approvals with the ledger."""
        from agentops.ledger.verification import register_check
        from approvals.gate import find_unrecorded

        register_check(find_unrecorded)
