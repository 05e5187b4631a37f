"""``agentops verify``: check the whole ledger, or some streams, and name the first bad entry."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.ledger.store import one_snapshot
from agentops.ledger.verification import Report, compare_rows, verify_streams


class Command(BaseCommand):
    help = "Verify the ledger's hash chains; exit 1 and name the first bad entry of each broken stream."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("streams", nargs="*", type=UUID, help="only these streams; default: all")
        parser.add_argument("--checkpoint", default="", help="the digest of one that was noted elsewhere")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        with one_snapshot() as cursor:
            report = verify_streams(cursor, options["streams"] or None, expected=options["checkpoint"])
            report.faults += compare_rows(cursor, options["streams"] or None)
        self.stdout.write(_as_json(report) if options["json"] else _as_text(report))
        if not report.ok:
            raise CommandError(f"{len(report.faults)} broken stream(s)", returncode=1)


def _as_text(report: Report) -> str:
    lines = [f"{report.entries} entries in {report.streams} streams: {'all fit' if report.ok else 'BROKEN'}"]
    lines += [f"  {fault.stream} entry {fault.seq}: {fault.code}, {fault.detail}" for fault in report.faults]
    return "\n".join(lines)


def _as_json(report: Report) -> str:
    faults = [
        {"stream": str(f.stream), "seq": f.seq, "code": f.code, "detail": f.detail} for f in report.faults
    ]
    return json.dumps(
        {"ok": report.ok, "entries": report.entries, "streams": report.streams, "faults": faults}
    )
