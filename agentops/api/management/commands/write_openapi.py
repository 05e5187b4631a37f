"""``manage.py write_openapi``: write the document of the API where people and clients look for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from agentops.api.document import render_yaml


class Command(BaseCommand):
    help = "Write docs/openapi.yaml from the views; a test fails while it differs from them."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        path = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
        path.write_text(render_yaml())
        self.stdout.write(f"wrote {path.relative_to(settings.BASE_DIR)}")
