"""``agentops manage evaluate AGENT SET NUMBER --max-usd 5``: try a version by a set; show results; compare two."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from agentops.errors import AgentOpsError
from identities.models import User
from runs.evaluation.comparing import Comparison, compare, sum_up
from runs.evaluation.evaluating import Trial, evaluate, find_evaluation
from runs.management.actors import find_actor
from runs.models import AgentVersion, Evaluation, EvaluationSet

POLL_S = 1.0


class Command(BaseCommand):
    help = "Try a version by the cases of a set, show what came of an evaluation, or compare two."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("agent", nargs="?", help="its slug; without it, the sets are listed")
        parser.add_argument("set", nargs="?", help="the name of a set of the agent")
        parser.add_argument("number", nargs="?", type=int, help="the number of one of its versions")
        parser.add_argument("--max-usd", type=Decimal, help="what all runs together may cost")
        parser.add_argument("--repeat", type=int, default=1, help="how often each case is run")
        parser.add_argument(
            "--wait", action="store_true", help="until it has ended; 1 unless all runs passed"
        )
        parser.add_argument("--results", type=UUID, metavar="EVALUATION")
        parser.add_argument("--compare", type=UUID, nargs=2, metavar="EVALUATION")
        parser.add_argument("--as", dest="username", metavar="USERNAME", required=True, help="who asks")

    def handle(self, *_: Any, username: str, **options: Any) -> None:  # Any: Django's
        """Do what was asked."""
        actor = find_actor(username)
        try:
            if options["compare"]:
                one, other = (find_evaluation(actor, each) for each in options["compare"])
                self._show_comparison(compare(one, other))
            elif options["results"]:
                self._show(find_evaluation(actor, options["results"]))
            elif options["agent"] is None:
                self._list(actor)
            else:
                self._evaluate(actor, options)
        except AgentOpsError as error:
            raise CommandError(error.detail or error.code) from error

    def _list(self, actor: User) -> None:
        for row in (
            EvaluationSet.objects.visible_to(actor)
            .select_related("identity")
            .order_by("identity__slug", "name")
        ):
            gating = f", gating, {row.pass_rate:.2%} have to pass" if row.gating else ""
            self.stdout.write(f"{row}: {row.cases.count()} cases{gating}")

    def _evaluate(self, actor: User, options: dict[str, Any]) -> None:  # Any: of a command line
        if options["set"] is None or options["number"] is None or options["max_usd"] is None:
            raise CommandError("say which set, which version, and --max-usd")
        sets = EvaluationSet.objects.visible_to(actor).select_related("identity__team")
        row = sets.filter(identity__slug=options["agent"], name=options["set"]).first()
        if row is None:
            raise CommandError("there is no such set, or it is not for you to see")
        version = AgentVersion.objects.filter(identity=row.identity, number=options["number"]).first()
        if version is None:
            raise CommandError(f"{row.identity} has no version {options['number']}")
        trial = Trial(options["max_usd"], options["repeat"])
        made = evaluate(actor=actor, evaluation_set=row, version=version, trial=trial)
        self.stdout.write(f"evaluation {made.pk} has begun")
        if options["wait"]:
            self._wait(made)

    def _wait(self, made: Evaluation) -> None:
        """Wait for the workers, who carry it on, and show what came of it."""
        while made.state == Evaluation.State.RUNNING:
            time.sleep(POLL_S)
            made.refresh_from_db()
        self._show(made)
        told = sum_up(made)
        if made.state != Evaluation.State.FINISHED or told.passed < told.of:
            raise CommandError(f"{told.passed} of {told.of} runs passed")

    def _show(self, made: Evaluation) -> None:
        told = sum_up(made)
        why = f" ({made.why_stopped.replace('_', ' ')})" if made.why_stopped else ""
        self.stdout.write(f"{made}: {made.state}{why}, {told.passed} of {told.of} passed, {told.usd} USD")
        for result in made.results.all():
            word = {True: "passed", False: "FAILED", None: "not run"}[result.passed]
            self.stdout.write(
                f"  {result}: {word}, {result.steps} steps, {result.usd} USD, run {result.run_id}"
            )
            failed = [check["said"] for check in result.checks if not check["passed"]]
            for line in [*([result.why] if result.why else []), *failed]:
                self.stdout.write(f"    {line}")

    def _show_comparison(self, found: Comparison) -> None:
        self.stdout.write(f"{found.one} | {found.other}")
        if not found.is_alike:
            self.stdout.write(
                "! the set was changed between the two: only cases of the same name are compared"
            )
        for figure in found.figures:
            self.stdout.write(f"  {figure.label}: {figure.one:.6g} | {figure.other:.6g}, {figure.said}")
        for case in found.cases:
            passed = " | ".join(
                f"{sum(bool(each.passed) for each in results)} of {len(results)}"
                for results in (case.one, case.other)
            )
            self.stdout.write(f"  {case.name}: passed {passed}")
