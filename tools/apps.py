from __future__ import annotations

from django.apps import AppConfig


class ToolsConfig(AppConfig):
    name = "tools"
    verbose_name = "Tools"

    def ready(self) -> None:
        """Let proposals call the verbs of tools and grants."""
        from tools.services.changes import register_verbs

        register_verbs()
