from __future__ import annotations

from django.apps import AppConfig


class IdentitiesConfig(AppConfig):
    name = "identities"
    verbose_name = "Identities"

    def ready(self) -> None:
        """Let every sign-in be recorded."""
        from identities import signins  # noqa: F401  connects its receivers
