"""``agentops attacks``: replay attacks over suites of tools, on a database that is thrown away."""

from __future__ import annotations

import json
import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from identities.services import create_first_superuser, create_person
from runs.attacks import Suite, check_suite
from runs.attacks.campaign import count_text_only, replay_suite
from runs.attacks.company import provision
from runs.attacks.layers import LAYERS, Layer, PlanSource
from runs.attacks.replay import Result
from runs.attacks.report import render
from runs.attacks.world import HERE

BY_NAME = {layer.name: layer for layer in LAYERS}


class Command(BaseCommand):
    help = "Replay attacks with a planner that obeys the attacker, over suites of tools."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "suites", nargs="+", metavar="MODULE[:NAME]", help="a Suite; NAME is SUITE by default"
        )
        parser.add_argument(
            "--layer", choices=BY_NAME, action="append", help="only this layer of the defence"
        )
        parser.add_argument(
            "--plan", choices=get_args(PlanSource), default="words", help="what plans come from"
        )
        parser.add_argument(
            "--every", type=int, default=1, metavar="N", help="one in N pairs of task and attack"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object per replay, nothing else")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        suites = [find_suite(named) for named in options["suites"]]
        faults = [fault for suite in suites for fault in check_suite(suite)]
        if faults:
            raise CommandError("\n".join(faults))
        layers = [BY_NAME[name] for name in options["layer"] or BY_NAME]
        results = []
        for result in replay_all(suites, layers, options["plan"], options["every"]):
            results.append(result)
            if options["json"]:
                self.stdout.write(json.dumps(asdict(result)))
        if not options["json"]:
            self.stdout.write(render(results, sum(map(count_text_only, suites))))


def find_suite(named: str) -> Suite:
    """Return the suite at ``package.module:NAME``; modules are looked for in the working directory, too."""
    module, _, name = named.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        suite = getattr(import_module(module), name or "SUITE")
    except (ImportError, AttributeError) as error:
        raise CommandError(f"{named}: {error}") from error
    if not isinstance(suite, Suite):
        raise CommandError(f"{named} is no suite")
    return suite


def replay_all(suites: list[Suite], layers: list[Layer], plan: PlanSource, every: int) -> Iterator[Result]:
    """Replay all of it, by two superusers who are the first: where there are others nothing is done."""
    settings.TOOLS_PYTHON_MODULES = [HERE]  # the calls of this process arrive in it, and nobody else's
    first = create_first_superuser(username="administrator", password=secrets.token_urlsafe(24))
    second = create_person(actor=first, username="second", password=None, superuser=True)
    for layer in layers:
        for suite in suites:
            desk = provision(suite, layer, actor=first, second=second, plan=plan)
            yield from replay_suite(desk, every=every)
