"""Makes the console Django's default admin site, so that every ``@admin.register`` lands in it."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AgentOpsAdminConfig(AdminConfig):
    default_site = "agentops.console.site.ConsoleSite"
