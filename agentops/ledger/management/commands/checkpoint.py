"""``manage.py checkpoint``: sign the ledger's heads now, and say what is to be noted elsewhere."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from agentops.ledger.checkpoints import digest_of, take_checkpoints
from agentops.ledger.models import Checkpoint


class Command(BaseCommand):
    help = "Sign what has moved since the last checkpoint; print the last one's digest and its public key."

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        signed = take_checkpoints(now=timezone.now())
        last = Checkpoint.objects.order_by("-number").first()
        if last is None:
            self.stdout.write("nothing has been written yet")
            return
        self.stdout.write(f"checkpoint {last.number}, {signed} heads signed now")
        self.stdout.write(f"digest {digest_of(last).hex()}")
        self.stdout.write(f"public key {bytes(last.public_key).hex()}")
