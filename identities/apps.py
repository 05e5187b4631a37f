from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IdentitiesConfig(AppConfig):
    name = "identities"
    verbose_name = "Identities"

    def ready(self) -> None:
        """Let every sign-in be recorded, every migration make the roles, and proposals call the verbs of this floor."""
        from identities import signins  # noqa: F401  connects its receivers
        from identities.changes import Verb, activation, belief, ownership, register_verb, rules, trust
        from identities.roles import establish_roles

        post_migrate.connect(establish_roles, dispatch_uid="identities.roles")
        register_verb(Verb(rules.SET_RULE, "How many people a change takes", rules.carry_out))
        register_verb(Verb(activation.ACTIVATE, "Let an agent act", activation.carry_out_activation))
        register_verb(Verb(trust.TRUST, "Whether an application may name users", trust.carry_out_trust))
        register_verb(Verb(belief.BELIEVE, "Whose tokens are believed", belief.carry_out_belief))
        register_verb(Verb(ownership.HAND_OVER, "Who owns an agent", ownership.carry_out_hand_over))
