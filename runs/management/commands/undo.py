"""``agentops undo RUN --as USERNAME [--do --reason WHY]``: say what undoing a run would do, or do it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from identities.models import User
from runs.management.actors import find_actor
from runs.models import Run
from runs.undoing.foresight import FORECAST, tell
from runs.undoing.services import foresee_undo, undo_run


class Command(BaseCommand):
    help = "Say of each effect of a run what would become of it if the run were undone; with --do, undo it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", type=UUID)
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who undoes")
        parser.add_argument("--do", action="store_true", help="undo it; without this nothing is done")
        parser.add_argument("--reason", default="", help="why; it stays on the record. Needed with --do")

    def handle(
        self, *_: Any, run: UUID, username: str, do: bool, reason: str, **__: Any
    ) -> None:  # Any: Django's
        """Foresee, or start the undo and say which run it is."""
        try:
            actor = find_actor(username)
            found = (
                Run.objects.visible_to(actor).filter(pk=run).select_related("identity", "principal").first()
            )
            if found is None:
                raise CommandError(f"there is no run {run}, or it is not for {username} to see")
            self._undo(actor, found, reason) if do else self._foresee(actor, found)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error

    def _foresee(self, actor: User, run: Run) -> None:
        self.stdout.write(tell(foresee_undo(actor=actor, run=run)))
        self.stdout.write(f"{FORECAST} Nothing was done; --do with a --reason does it.")

    def _undo(self, actor: User, run: Run, reason: str) -> None:
        made = undo_run(actor=actor, run=run, reason=reason)
        self.stdout.write(f"run {run.pk} is being undone by run {made.pk}")
