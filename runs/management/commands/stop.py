"""``agentops stop SCOPE [TARGET] --reason WHY --as USERNAME``: stop something, exercise that, or lift a switch."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from identities.models import KillSwitch, User
from identities.services import lift_switch
from runs.management.actors import find_actor
from runs.models import Stop
from runs.receipts import write_receipt
from runs.stops import stop


class Command(BaseCommand):
    help = (
        "Stop a run, an agent, a tool, an application, an end user, a key, a model provider, or everything."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("scope", choices=Stop.Scope.values)
        parser.add_argument(
            "target", nargs="?", default="", help="an id; of a provider the name; none for everything"
        )
        parser.add_argument("--reason", required=True, help="why; it stays on the record")
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who stops")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--drill", action="store_true", help="do everything but the effect")
        how.add_argument("--lift", action="store_true", help="lift the kill switch that is thrown")

    def handle(self, *_: Any, **options: Any) -> None:  # Any: Django's
        """Stop, and say what that met."""
        try:
            actor = find_actor(options["username"])
            self._lift(actor, options) if options["lift"] else self._stop(actor, options)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error

    def _stop(self, actor: User, options: dict[str, Any]) -> None:
        names = ("scope", "target", "reason", "drill")
        made = stop(actor=actor, **{name: options[name] for name in names})
        receipt = write_receipt(made, actor)
        figures = {
            "stop": str(made.pk), "drill": made.is_drill, "going": receipt.going, "executed": receipt.executed,
            "in_flight": receipt.in_flight,
        }  # fmt: skip
        self.stdout.write(json.dumps(figures))

    def _lift(self, actor: User, options: dict[str, Any]) -> None:
        thrown = KillSwitch.objects.visible_to(actor).thrown()
        switch = thrown.filter(scope=options["scope"], target=options["target"]).first()
        if switch is None:
            raise CommandError("no such kill switch is thrown")
        lift_switch(actor=actor, switch=switch, reason=options["reason"])
        self.stdout.write(f"lifted: {switch}")
