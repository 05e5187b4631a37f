"""``agentops manage examples``: say that a run is an example to learn from, or write those of an agent into a file."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agentops.errors import AgentOpsError
from identities.models import AgentIdentity, User
from runs.examples.services import Selection, decide_example, export_examples, find_example_run
from runs.management.actors import find_actor


class Command(BaseCommand):
    help = "Approve or reject a run as an example to learn from, or export those of an agent for fine-tuning."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        chosen = parser.add_mutually_exclusive_group(required=True)
        chosen.add_argument("--approve", type=UUID, metavar="RUN")
        chosen.add_argument("--reject", type=UUID, metavar="RUN")
        chosen.add_argument("--export", metavar="AGENT", help="the agent's slug")
        parser.add_argument("--steps", type=int, nargs="+", help="which of its steps; all by default")
        parser.add_argument("--to", metavar="FILE", help="where the file goes")
        parser.add_argument("--number", type=int, help="only of this version")
        parser.add_argument("--task", help="only of this type of task")
        parser.add_argument("--since", type=datetime.fromisoformat, help="only runs that began then or later")
        parser.add_argument("--until", type=datetime.fromisoformat, help="only runs that began earlier")
        parser.add_argument("--reason", required=True, help="why; it stays on the record")
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who does it")

    def handle(self, *_: Any, **options: Any) -> None:  # Any: Django's
        """Do what was asked."""
        actor = find_actor(options["username"])
        try:
            if options["export"]:
                self._export(actor, options)
            else:
                self._decide(actor, options)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error

    def _decide(self, actor: User, options: dict[str, Any]) -> None:  # Any: of a command line
        verdict = "approved" if options["approve"] else "rejected"
        run = find_example_run(actor, options["approve"] or options["reject"])
        made = decide_example(
            actor=actor, run=run, verdict=verdict, reason=options["reason"], steps=options["steps"]
        )
        self.stdout.write(f"run {run.pk}: steps {', '.join(map(str, made.steps))} are {verdict}")

    def _export(self, actor: User, options: dict[str, Any]) -> None:  # Any: as above
        if not options["to"]:
            raise CommandError("say where the file goes with --to FILE")
        agent = AgentIdentity.objects.visible_to(actor).filter(slug=options["export"]).first()
        if agent is None:
            raise CommandError("there is no such agent, or it is not for you to see")
        moments = {name: _in_zone(options[name]) for name in ("since", "until")}
        selection = Selection(options["number"], options["task"], **moments)
        try:
            with Path(options["to"]).open("xb") as file:
                made = export_examples(
                    actor=actor, identity=agent, selection=selection, reason=options["reason"]
                )
                file.writelines(made.chunks())
        except OSError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{made.lines} lines of {made.runs} runs, {made.left_out} steps left out, SHA-256 {made.digest}"
        )


def _in_zone(moment: datetime | None) -> datetime | None:
    return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment
