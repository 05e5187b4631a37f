"""``agentops manage veto RUN STEP CALL --reason WHY``: keep a held call from going out, or list what is held."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from identities.models import User
from runs.held import HeldCall, read_held
from runs.management.actors import find_actor
from runs.models import Run
from runs.services import veto_call


class Command(BaseCommand):
    help = "List the calls that are held before they go out; with a run, step, call and reason, veto one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("run", nargs="?", type=UUID, help="the run's id; none lists what is held")
        parser.add_argument("step", nargs="?", type=int)
        parser.add_argument("call", nargs="?", type=int)
        parser.add_argument("--reason", default="", help="why it must not happen; the agent reads it")
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="who vetoes")

    def handle(self, *_: Any, **options: Any) -> None:  # Any: Django's
        """List, or veto."""
        actor = find_actor(options["username"])
        if options["run"] is None:
            for held in read_held(actor):
                self.stdout.write(_line(held))
            return
        if options["step"] is None or options["call"] is None:
            raise CommandError("say which call: RUN STEP CALL")
        self._veto(actor, options)

    def _veto(self, actor: User, options: dict[str, Any]) -> None:
        run = Run.objects.visible_to(actor).filter(pk=options["run"]).first()
        if run is None:
            raise CommandError("there is no such run, or it is not for you to see")
        where = {name: options[name] for name in ("step", "call", "reason")}
        try:
            veto_call(actor=actor, run=run, **where)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error
        self.stdout.write("vetoed: the call does not go out")


def _line(held: HeldCall) -> str:
    call = held.call
    what = held.statement or f"call {call.tool_name}"
    return f"{call.run_id} {call.step} {call.number}  until {held.until:%Y-%m-%d %H:%M:%S} UTC: {what}"
