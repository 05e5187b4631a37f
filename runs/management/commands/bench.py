"""``agentops bench``: a JSON object per load of ``steps``, per scope of ``stops``, per page; else one in all."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from math import ceil
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import NotFound
from runs.bench.company import appoint_officer, appoint_operator, create_company
from runs.bench.decisions import measure_decisions
from runs.bench.growth import LONG, measure_growth
from runs.bench.pages import Size, measure_pages
from runs.bench.routing import Models, measure_routing
from runs.bench.steps import RUNS, Load, measure
from runs.bench.stops import SCOPES, STEPS, measure_stops

DECISIONS = 100


class Command(BaseCommand):
    help = "Measure durable, governed steps through Celery and the real driver, on a database that is thrown away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["steps", "growth", "decisions", "stops", "pages", "routing"])
        parser.add_argument("--json", action="store_true", help="one JSON object per line, nothing else")
        parser.add_argument("--concurrency", default="1,8,32,128", help="runs at once, comma-separated")
        parser.add_argument("--latency-ms", default="0,500", help="latencies of the model, comma-separated")
        parser.add_argument("--steps", type=int, default=10, help="steps per run")
        parser.add_argument(
            "--rows", type=int, default=1_000_000, help="growth, pages: steps to fill the tables with"
        )
        parser.add_argument("--runs", type=int, help="runs per load (default: by concurrency)")
        parser.add_argument("--rounds", type=int, default=10, help="stops, pages: how often for each")
        parser.add_argument("--stops", type=int, help="stops: how many over all scopes, instead of --rounds")
        parser.add_argument("--frontier", default="gpt-5", help="routing: the large model")
        parser.add_argument("--small", default="gpt-5-mini", help="routing: the model that carries out")
        parser.add_argument(
            "--cold", action="store_true", help="routing: no run finds in a cache what another has left there"
        )
        parser.add_argument("--waiting", type=int, default=10_000, help="pages: requests that wait")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        if options["what"] == "growth":
            application, agent = create_company(LONG)
            self.stdout.write(json.dumps(measure_growth(application, agent, options["rows"])))
        elif options["what"] == "decisions":
            application, agent = create_company(1, decision="REQUIRE_APPROVAL")
            officer, runs = appoint_officer(agent), options["runs"] or DECISIONS
            self.stdout.write(json.dumps(measure_decisions(application, agent, officer, runs)))
        elif options["what"] == "stops":
            in_all = options["stops"]
            self._measure_stops(ceil(in_all / len(SCOPES)) if in_all else options["rounds"])
        elif options["what"] == "pages":
            self._measure_pages(options)
        elif options["what"] == "routing":
            self._measure_routing(options)
        else:
            self._measure_steps(options)

    def _measure_stops(self, rounds: int) -> None:
        _, agent = create_company(STEPS)
        for figures in measure_stops(agent, appoint_operator(), rounds):
            self.stdout.write(json.dumps(figures))
            self.stdout.flush()

    def _measure_routing(self, options: dict[str, Any]) -> None:
        models = Models(options["frontier"], options["small"])
        try:
            figures = measure_routing(models, options["runs"], cold=options["cold"])
        except (NotFound, LookupError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(figures) if options["json"] else _line(figures))

    def _measure_pages(self, options: dict[str, Any]) -> None:
        application, agent = create_company(1, decision="REQUIRE_APPROVAL")
        size = Size(options["rows"], options["waiting"], options["rounds"])
        for figures in measure_pages(application, agent, size):
            self.stdout.write(json.dumps(figures) if options["json"] else _line(figures))

    def _measure_steps(self, options: dict[str, Any]) -> None:
        application, agent = create_company(options["steps"])
        for latency in _numbers(options["latency_ms"]):
            for concurrency in _numbers(options["concurrency"]):
                runs = options["runs"] or _runs(concurrency, latency)
                figures = measure(Load(concurrency, latency, options["steps"], runs), application, agent)
                self.stdout.write(json.dumps(figures) if options["json"] else _line(figures))
                self.stdout.flush()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _runs(concurrency: int, latency: int) -> int:
    """A slow model needs fewer runs: two rounds tell enough."""
    return 2 * concurrency if latency else RUNS.get(concurrency, 2 * concurrency)


def _line(figures: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in figures.items())
