"""``manage.py write_openapi``: write the document of the API where people and clients look for it, and our client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from agentops.api.document import read_document, render_yaml
from agentops.api.generation import write_client


class Command(BaseCommand):
    help = (
        "Write docs/openapi.yaml from the views, and agentops.client from it; a test fails while they differ."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        base = Path(settings.BASE_DIR)
        for path, text in {
            base / "docs" / "openapi.yaml": render_yaml(),
            **write_client(read_document()),
        }.items():
            path.write_text(text)
            self.stdout.write(f"wrote {path.relative_to(base)}")
