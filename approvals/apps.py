from __future__ import annotations

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
    verbose_name = "Approvals"

    def ready(self) -> None:
        """Have ``verify`` compare approvals with the ledger, alarms told, and let proposals set rules."""
        from agentops.ledger.verification import register_check
        from approvals.absences import DECLARE, carry_out_absence
        from approvals.confirmations.asking import NOTICE
        from approvals.confirmations.standing import find_unrecorded_confirmations
        from approvals.gate import find_unrecorded
        from approvals.governing import SET_RULE, carry_out_rule
        from approvals.notices import alarms
        from approvals.notices.approving import register_kinds
        from approvals.notices.kinds import register_kind
        from approvals.oversight_rules import SET_OVERSIGHT, carry_out_oversight
        from approvals.sampling_rules import SET_SAMPLING, carry_out_sampling
        from identities.alarms import register_listener
        from identities.changes import Verb, register_verb

        register_check(find_unrecorded)
        register_check(find_unrecorded_confirmations)
        register_kinds()
        register_kind(NOTICE)
        alarms.register_kinds()
        register_listener(alarms.tell_alarm)
        register_verb(Verb(SET_RULE, "Whose yes calls take", carry_out_rule))
        register_verb(Verb(SET_SAMPLING, "How many calls are opened before a batch", carry_out_sampling))
        register_verb(Verb(SET_OVERSIGHT, "How deciders are watched over", carry_out_oversight))
        register_verb(Verb(DECLARE, "Who stands in for whom", carry_out_absence))
