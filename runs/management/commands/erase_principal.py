"""``manage.py erase_principal ISSUER SUBJECT --reason WHY --as USERNAME``: erase a person in every team."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from agentops.errors import AgentOpsError
from identities.models import Principal
from runs.erasure import erase_principal
from runs.management.actors import find_actor


class Command(BaseCommand):
    help = "Erase an end user in every team: the words of all their runs, and the subject."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("issuer")
        parser.add_argument("subject")
        parser.add_argument(
            "--reason", required=True, help="why, without naming the person; it stays on the record"
        )
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who erases")

    def handle(
        self, *_: Any, issuer: str, subject: str, reason: str, username: str, **__: Any
    ) -> None:  # Any: Django's
        """Erase in all teams or in none, and say how much."""
        actor = find_actor(username)
        found = list(Principal.objects.filter(issuer=issuer, subject=subject).order_by("pk"))
        if not found:
            raise CommandError("there is no such end user")
        try:
            with transaction.atomic():
                erased = sum(erase_principal(actor=actor, principal=each, reason=reason) for each in found)
        except AgentOpsError as error:
            raise CommandError(f"{error.detail or error.code}\nnothing was changed") from error
        self.stdout.write(f"{erased} entries lost their words, in {len(found)} teams")
