from __future__ import annotations

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Runs"

    def ready(self) -> None:
        """Register the checks of the system, of activation and of batches, verbs of proposals, edits, and notices."""
        from approvals.batches.checks import register_check
        from approvals.edits import register_subject
        from approvals.likeness import register_outcomes
        from approvals.unready import register_unready
        from identities.activation import register_activation_check
        from identities.oauth.standing import register_call_check
        from runs import (
            checks,  # noqa: F401  registers them
            review_notices,
        )
        from runs.actions.subjects import WAKE_TASK
        from runs.approved_outcomes import read_outcomes
        from runs.changes import register_verbs
        from runs.changesets.staging import find_drafts
        from runs.edits import reassess
        from runs.indicators import watching
        from runs.introspected import find_lost_right
        from runs.notices import register_kinds
        from runs.preflight import refuse_unsafe_activation
        from runs.reassessing import find_impossible
        from runs.schedules import telling

        register_subject(WAKE_TASK, reassess)
        register_activation_check(refuse_unsafe_activation)
        register_call_check(find_lost_right)
        register_verbs()
        register_kinds()
        review_notices.register_kinds()
        telling.register_kinds()
        watching.register_kinds()
        register_outcomes(read_outcomes)
        register_check(find_impossible)
        register_unready(find_drafts)
