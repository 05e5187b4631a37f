"""``manage.py checkpoint``: sign the ledger's heads now, and say what is to be noted elsewhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.ledger.checkpoints import digest_of, read_last, rotate_key, take_checkpoints

REMEDY = "Look at what verify says of it; --rotate then has a new key go on, and verify goes on naming it."


class Command(BaseCommand):
    help = "Sign what has moved since the last checkpoint; print the last one's digest and its public key."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command line."""
        parser.add_argument("--rotate", action="store_true", help="have a new key sign from now on")

    def handle(self, *args: Any, rotate: bool, **options: Any) -> None:  # Any: Django's signature
        try:
            signed = rotate_key(now=timezone.now()).heads if rotate else take_checkpoints(now=timezone.now())
        except StateConflict as conflict:
            raise CommandError(f"{conflict.detail}: nothing is signed on top of it. {REMEDY}") from conflict
        last = read_last()
        if last is None:
            self.stdout.write("nothing has been written yet")
            return
        self.stdout.write(f"checkpoint {last.number}, {signed} heads signed now")
        self.stdout.write(f"digest {digest_of(last).hex()}")
        self.stdout.write(f"public key {bytes(last.public_key).hex()}")
