"""``manage.py load_demo``: the demo company, and how to sign in to it. Can be repeated."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from agentops.runtime.local_keys import write_private
from runs.management.commands.apply import describe
from runs.provisioning.demo import load_company


class Command(BaseCommand):
    help = "Load the demo company (AGENTOPS_DEMO=1 only) and write down how to sign in."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        """Apply the document, make sure that everybody can sign in, say how."""
        if not settings.DEMO:
            raise CommandError(
                "the demo company is loaded with AGENTOPS_DEMO=1 only, and never in production"
            )
        file = sign_in_file()
        known = file.read_text() if file and file.exists() else ""
        try:
            plan, sign_in = load_company(os.environ, known)
        except AgentOpsError as error:
            raise CommandError(describe(error)) from error
        self.stdout.write(str(plan) if plan.is_empty else f"demo company: {len(plan.changes)} things set up")
        if file:
            write_private(file, sign_in)
        else:
            self.stdout.write(sign_in)


def sign_in_file() -> Path | None:
    """Return where the person at the terminal will look for it, None to print it."""
    named = os.environ.get("AGENTOPS_SIGN_IN_FILE")
    data = os.environ.get("AGENTOPS_DATA")
    if named:
        return Path(named)
    return Path(data) / "sign-in.txt" if data else None
