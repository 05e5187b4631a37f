"""``manage.py replay RUN``: would this engine have decided what the run's stream says was decided?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.engine.fold import NewerEngine, UnfoldableEvent
from agentops.engine.replay import replay
from agentops.errors import NondeterminismError, NotFound
from runs.histories import read_history


class Command(BaseCommand):
    help = "Replay a run's stream; exit 1 where this engine would have decided something else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        try:
            events = read_history(options["run"])
            commands = replay(events)
        except (NotFound, NewerEngine) as error:
            raise CommandError(error.detail) from error
        except (NondeterminismError, UnfoldableEvent) as error:
            raise CommandError(str(error)) from error
        for command in commands:
            self.stdout.write(str(command))
        self.stdout.write(f"{len(events)} events, {len(commands)} decisions: all as recorded")
