"""``manage.py erase_run RUN --reason WHY --as USERNAME``: erase what was said in runs that have ended."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from runs.erasure import erase_run
from runs.management.actors import find_actor
from runs.models import Run


class Command(BaseCommand):
    help = "Erase every word of a run that has ended. What happened stays on the record."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", type=UUID)
        parser.add_argument("--reason", required=True, help="why; it stays on the record")
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who erases")

    def handle(self, *_: Any, run: UUID, reason: str, username: str, **__: Any) -> None:  # Any: Django's
        """Erase, and say how much."""
        found = Run.objects.filter(pk=run).first()
        if found is None:
            raise CommandError(f"there is no run {run}")
        try:
            erased = erase_run(actor=find_actor(username), run=found, reason=reason)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        self.stdout.write(f"run {run}: {erased} entries lost their words")
