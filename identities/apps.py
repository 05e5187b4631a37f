from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IdentitiesConfig(AppConfig):
    name = "identities"
    verbose_name = "Identities"

    def ready(self) -> None:
        """Let every sign-in be recorded, and every migration make the roles."""
        from identities import signins  # noqa: F401  connects its receivers
        from identities.roles import establish_roles

        post_migrate.connect(establish_roles, dispatch_uid="identities.roles")
