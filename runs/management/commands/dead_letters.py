"""``agentops manage dead_letters [ID redrive|discard --reason WHY]``: list what is parked, or decide about it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from runs.dead_letters import discard_letter, redrive_letter
from runs.management.actors import find_actor
from runs.models import DeadLetter

VERBS = {"redrive": redrive_letter, "discard": discard_letter}


class Command(BaseCommand):
    help = "List the runs that are parked after drives that failed; with one's id and a verb, redrive or discard it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument(
            "letter", nargs="?", type=UUID, help="the dead letter's id; none lists what is parked"
        )
        parser.add_argument("verb", nargs="?", choices=sorted(VERBS))
        parser.add_argument("--reason", default="", help="why; needed to discard")
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="who decides")

    def handle(self, *_: Any, **options: Any) -> None:  # Any: Django's
        """List, or carry out."""
        actor = find_actor(options["username"])
        seen = DeadLetter.objects.visible_to(actor)
        if options["letter"] is None:
            for each in seen.parked().select_related("run__identity"):
                self.stdout.write(_line(each))
            return
        if options["verb"] is None:
            raise CommandError("say what becomes of it: redrive or discard")
        letter = seen.filter(pk=options["letter"]).first()
        if letter is None:
            raise CommandError("there is no such dead letter, or it is not for you to see")
        try:
            closed = VERBS[options["verb"]](actor=actor, letter=letter, reason=options["reason"])
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        self.stdout.write(f"{closed.state}: run {closed.run_id}")


def _line(letter: DeadLetter) -> str:
    what, run = f"{letter.reason} {letter.error}".strip(), letter.run
    return f"{letter.pk}  run {run.pk} of {run.identity}, entry {letter.entry}: {letter.attempts}x {what}"
