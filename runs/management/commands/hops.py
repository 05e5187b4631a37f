"""``manage.py hops RUN``: say by whose word a run acts, hop by hop, and check what was signed about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from runs.delegation.hops import find_hops
from runs.models import Run


class Command(BaseCommand):
    help = "Check the signed receipts of the tasks that led to a run, up to the run that people started."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", metavar="RUN", type=UUID, help="the run's id")

    def handle(self, *_: Any, run: UUID, **__: Any) -> None:
        """Tell each hop; fail where one does not hold."""
        found = Run.objects.filter(pk=run).first()
        if found is None:
            raise CommandError(f"there is no run {run}")
        hops = find_hops(found)
        for hop in hops:
            self.stdout.write(
                f"{hop.run} by {hop.actor} in {hop.parent}: {hop.fault or f'signed, {hop.key}'}"
            )
        if broken := [hop for hop in hops if hop.fault]:
            raise CommandError(f"{len(broken)} of {len(hops)} hops do not hold")
        self.stdout.write(f"{len(hops)} hops, all signed")
