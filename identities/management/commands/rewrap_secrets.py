"""``manage.py rewrap_secrets``: put every sealed value under the first of AGENTOPS_SEALING_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentops.sealed_rows import rewrap_all
from agentops.sealing import SealRefused


class Command(BaseCommand):
    help = "Wrap every sealed value under the first sealing key, so that the others may be taken out."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:  # Any: Django's signature
        """Wrap, and say how many values of which column were not under that key."""
        try:
            changed = rewrap_all()
        except SealRefused as error:
            raise CommandError(f"{error}; keep all keys until this value has been replaced") from error
        for column, count in changed.items():
            self.stdout.write(f"{column}: {count} wrapped anew")
