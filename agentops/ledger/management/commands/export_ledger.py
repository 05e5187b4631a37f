"""``manage.py export_ledger``: the whole ledger as JSON lines, from one snapshot."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from agentops.ledger.export import export_lines
from agentops.ledger.store import one_snapshot


class Command(BaseCommand):
    help = "Print the ledger as JSON lines; agentops/ledger/standalone.py verifies them, anywhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--contents", action="store_true", help="with the erasable, personal contents")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        with one_snapshot() as cursor:
            for line in export_lines(cursor, contents=options["contents"]):
                self.stdout.write(line, ending="")
