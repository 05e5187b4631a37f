"""``agentops manage memories [ID release|revert|delete --reason WHY]``: list the quarantine, or decide about a note."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from runs.management.actors import find_actor
from runs.memory.affected import find_affected
from runs.memory.services import delete_memory, release_memory, revert_memory
from runs.models import Memory

VERBS: dict[str, Callable[..., Memory]] = {
    "release": release_memory,
    "revert": revert_memory,
    "delete": delete_memory,
}


class Command(BaseCommand):
    help = "List the notes of agents that are in quarantine; with one's id and a verb, decide about it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("memory", nargs="?", type=UUID, help="the note's id; none lists the quarantine")
        parser.add_argument("verb", nargs="?", choices=sorted(VERBS))
        parser.add_argument("--reason", default="", help="why; needed to release and to revert")
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="who decides")

    def handle(self, *_: Any, **options: Any) -> None:  # Any: Django's
        """List, or carry out."""
        actor = find_actor(options["username"])
        seen = Memory.objects.visible_to(actor)
        if options["memory"] is None:
            for each in seen.quarantined().select_related("identity"):
                self.stdout.write(f"{each.pk}  of {each.identity}, rests on {each.label}: {each.text!r}")
            return
        if options["verb"] is None:
            raise CommandError(f"say what becomes of it: {', '.join(VERBS)}")
        memory = seen.filter(pk=options["memory"]).first()
        if memory is None:
            raise CommandError("there is no such note, or it is not for you to see")
        try:
            settled = VERBS[options["verb"]](actor=actor, memory=memory, reason=options["reason"])
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        reached = find_affected(settled, actor)
        self.stdout.write(f"{settled.state}: memory {settled.pk}")
        for reading in reached.readings:
            self.stdout.write(
                f"read by run {reading.run_id}, step {reading.step}: memory {reading.memory_id}"
            )
        for note in reached.notes:
            self.stdout.write(f"written since: memory {note.pk}, {note.state}")
