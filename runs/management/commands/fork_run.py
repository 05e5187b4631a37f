"""``agentops manage fork_run RUN --step N --as USERNAME``: go through a run again from a step on, without effects."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.management.actors import find_actor
from runs.models import Run


class Command(BaseCommand):
    help = "Start a fork of a run that has ended: its calls are answered from the record, or not made."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", type=UUID)
        parser.add_argument(
            "--step", type=int, required=True, help="the first step that the model is asked anew"
        )
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who forks")
        parser.add_argument("--instructions", metavar="FILE", help="other instructions, as a text file")
        parser.add_argument("--model", default="", help="another model, which has to be priced")
        parser.add_argument(
            "--terms", default="{}", help='other terms of grants, as JSON: {"refund": {"decision": "DENY"}}'
        )
        parser.add_argument("--call-reads", action="store_true", help="really call tools that only read")

    def handle(self, *_: Any, run: UUID, username: str, **options: Any) -> None:  # Any: Django's
        """Start the fork and say which run it is."""
        actor = find_actor(username)
        found = Run.objects.visible_to(actor).filter(pk=run).select_related("identity", "team").first()
        if found is None:
            raise CommandError(f"there is no run {run}, or it is not for {username} to see")
        try:
            made = fork_run(actor=actor, run=found, fork=_read(run, options))
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        self.stdout.write(f"run {run} is forked from step {options['step']} on by run {made.pk}")


def _read(run: UUID, options: dict[str, Any]) -> Fork:  # Any: of a command line
    try:
        terms = json.loads(options["terms"])
        named = options["instructions"]
        instructions = Path(named).read_text(encoding="utf-8") if named else None
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from error
    if not isinstance(terms, dict):
        raise CommandError("terms are a JSON object")
    return Fork(run, options["step"], instructions, options["model"], terms, options["call_reads"])
