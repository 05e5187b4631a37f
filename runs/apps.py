from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Runs"

    def ready(self) -> None:
        """Register the system checks, what is asked before an agent comes back and before a batch, and the verbs."""
        from approvals.batches.checks import register_check
        from identities.activation import register_activation_check
        from runs import checks  # noqa: F401  registers them
        from runs.changes import register_verbs
        from runs.preflight import refuse_unsafe_activation
        from runs.reassessing import find_impossible

        register_activation_check(refuse_unsafe_activation)
        register_verbs()
        register_check(find_impossible)
