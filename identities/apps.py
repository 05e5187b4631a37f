from __future__ import annotations

from django.apps import AppConfig


class IdentitiesConfig(AppConfig):
    name = "identities"
    verbose_name = "Identities"

    def ready(self) -> None:
        """Let every sign-in be recorded, and proposals call the verbs of this floor."""
        from identities import signins  # noqa: F401  connects its receivers
        from identities.changes import Verb, register_verb
        from identities.changes.rules import SET_RULE, carry_out

        register_verb(Verb(SET_RULE, "How many people a change takes", carry_out))
