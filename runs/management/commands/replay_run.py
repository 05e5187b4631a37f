"""``agentops manage replay_run RUN --as USERNAME [--json]``: decide again what was decided in a run."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.api.serializers import render_row
from agentops.errors import AgentOpsError
from runs.api.replays import ReplaySerializer
from runs.management.actors import find_actor
from runs.models import Run
from runs.replays.report import WORDS, Report
from runs.replays.services import replay_run


class Command(BaseCommand):
    help = (
        "Decide again what was decided in a run, from its record alone; exit code 1 where anything differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", type=UUID)
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="who looks")
        parser.add_argument("--json", action="store_true", help="the report as the API has it")

    def handle(self, *_: Any, run: UUID, username: str | None, **options: Any) -> None:  # Any: Django's
        """Replay, say what was found, and fail unless it was the same."""
        actor = find_actor(username)
        found = Run.objects.visible_to(actor).filter(pk=run).first()
        if found is None:
            raise CommandError(f"there is no run {run}, or it is not for {actor} to see")
        try:
            report = replay_run(actor=actor, run=found)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        self.stdout.write(
            json.dumps(render_row(ReplaySerializer, report)) if options["json"] else tell(report)
        )
        if report.outcome != "same":
            raise CommandError(report.words)


def tell(report: Report) -> str:
    """Return a report as lines for people."""
    compared = f"{report.prompts} prompts compared, {report.uncompared} not"
    told = f"{report.verdicts} verdicts, {report.answers} answers taken from the record"
    counts = f"{report.entries} entries, {report.commands} commands, {compared}, {told}"
    rules = f"by the rules of engine {report.engine}; this release knows them up to {report.by_engine}"
    differences = [
        f"step {each.step}, entry {each.entry}: {WORDS[each.what]}: recorded {each.recorded}; now {each.now}"
        for each in report.differences
    ]
    return "\n".join([f"run {report.run}: {counts}", rules, *differences, report.words])
