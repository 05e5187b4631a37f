"""``agentops chaos``: kill -9 at random, and account for every effect."""

from __future__ import annotations

import json
import secrets
import signal
from argparse import ArgumentParser, ArgumentTypeError
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentops.runtime.processes import StackError
from agentops.runtime.services import temporary_stack
from runs.chaos.arena import Arena
from runs.chaos.campaign import Plan, Result, run_campaign
from runs.chaos.kills import ALL_KINDS, KINDS


class Command(BaseCommand):
    help = "Kill processes while runs make counted effects; exit 0 only if every effect is accounted for."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kills", type=_count, default=10, help="how many processes to kill")
        parser.add_argument("--seed", type=int, help="draws the same kills in the same order again")
        kinds = sorted(ALL_KINDS)
        parser.add_argument("--only", choices=kinds, action="append", help="only kills of this kind")
        parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        signal.signal(signal.SIGTERM, _leave)
        seed = secrets.randbelow(1 << 32) if options["seed"] is None else options["seed"]
        plan = Plan(options["kills"], seed, tuple(options["only"] or KINDS))
        self.stderr.write(f"seed {seed}")
        try:
            with temporary_stack(durable=True) as stack:
                arena = Arena(stack)
                arena.open()
                result = run_campaign(arena, plan, announce=self.stderr.write)
                arena.abandon()
        except StackError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(result.as_json()) if options["json"] else _as_text(result))
        if not result.ok:
            raise CommandError(f"{len(result.problems)} problem(s)", returncode=1)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number of kills, from 1")
    return int(text)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _as_text(result: Result) -> str:
    return "\n".join(f"{name:<18}{value}" for name, value in result.as_json().items())
