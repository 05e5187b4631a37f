"""``manage.py record_history RUN``: print a run's history without its contents, to be kept and replayed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.engine.fold import NewerEngine
from agentops.errors import NotFound
from runs.histories import dump_history, read_history


class Command(BaseCommand):
    help = "Print a run's history as JSON, without its contents; the engine's tests replay such files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        try:
            self.stdout.write(dump_history(read_history(options["run"])), ending="")
        except (NotFound, NewerEngine) as error:
            raise CommandError(error.detail) from error
