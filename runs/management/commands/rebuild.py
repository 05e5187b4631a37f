"""``manage.py rebuild RUN``: write a run's rows anew from its ledger stream."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import NotFound
from runs.rebuild import rebuild_run


class Command(BaseCommand):
    help = "Write the rows of runs, their steps and their calls anew from the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("runs", nargs="+", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        for run in options["runs"]:
            try:
                entries = rebuild_run(run)
            except NotFound as error:
                raise CommandError(error.detail) from error
            self.stdout.write(f"{run}: built from {entries} entries")
