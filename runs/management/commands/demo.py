"""``agentops demo``: one governed run in the terminal, with its approval and its trace."""

from __future__ import annotations

import os
import re
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from agentops.console.words import money
from agentops.demo.planner.script import SHIPPED, load_scripts
from agentops.demo.shop.seed import load_seed
from agentops.errors import AgentOpsError
from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from identities.models import AgentIdentity, Application, User
from runs.indicators.watching import list_tasks
from runs.management.terminal import ANSWERS, answer_request
from runs.models import Run
from runs.services import cancel_run, start_run
from runs.starting import published_version
from runs.trace import read_totals, read_trace
from runs.words import read_ending
from tools.previews.wording import tell

# How long the run may take by itself from the last answer on, and when somebody at the console has to be found.
TERMINAL_S, CONSOLE_S = 120.0, 900.0
CANCELLED_WITHIN_S = 20.0
STORY, TASK = "refund_broken_kettle", "refund"
APPLICATION, AGENT, APPROVER = "shop-app", "refunds-agent", "fiona"
EMAIL = re.compile(r"[\w.]+@[\w.]+\w")
LANE_MARKS = {"decided": "decided ", "executed": "executed", "broke": "BROKE   "}


@dataclass(frozen=True, slots=True)
class Told:
    """What a customer writes, and who they are."""

    customer: str
    message: str


def choose_request(message: str, played: int) -> Told:
    """Return the story as its script tells it the first time, and about another order every further time.

    The same refund is refused as a duplicate when it is proposed again, as it should be.
    """
    told = (
        Told(EMAIL.findall(message)[0], message)
        if EMAIL.search(message)
        else Told("ann.lee@example.com", message)
    )
    if not played or "arrived broken" not in message:
        return told
    seed = load_seed()
    orders = [
        order
        for order in seed["orders"].values()
        if order["status"] == "delivered" and order["payment"]["refunded"] == "0.00"
    ]
    order = orders[played % len(orders)]
    customer = seed["customers"][order["customer_id"]]
    thing = order["lines"][0]["name"].lower()
    return Told(
        customer["email"],
        f"Hello, this is {customer['name']} ({customer['email']}). The {thing} from my order {order['id']} arrived "
        "broken. I would like my money back for it, please.",
    )


def find_task(agent: AgentIdentity, story: str) -> str:
    """Return of which type of task a story is; none, too, where somebody has published a version without it."""
    is_declared = story == STORY and TASK in list_tasks(published_version(agent))
    return TASK if is_declared else ""


def console_url() -> str:
    """Return where `up` serves the console; empty without it."""
    return os.environ.get("DEMO_CONSOLE_URL", "")


class Command(BaseCommand):
    help = (
        "Run the demo's story in the terminal: a request, a proposal, your approval, the effect, the trace."
    )

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        super().__init__(*args, **options)
        self._presented: set[UUID] = set()
        self._left_alone_at = 0.0  # since when the run has had all that it needs of people

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--decide",
            choices=["approve", "deny", "console"],
            help="answer for scripts, instead of asking; console: wait until somebody decides there",
        )
        parser.add_argument("--story", default=STORY, help="which of the shipped requests to play")
        parser.add_argument(
            "--timeout",
            type=float,
            help="seconds to wait for the run's end, from the last answer on (120; 900 for people at the console)",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        if not settings.DEMO:
            raise CommandError("the demo company is loaded only with AGENTOPS_DEMO=1; never in production")
        if options["decide"] == "console" and not console_url():
            raise CommandError(
                "no console runs here: start `python3 -m agentops up` in another terminal first, "
                "or answer with --decide approve or deny"
            )
        run = self._start(options["story"])
        timeout_s = options["timeout"] or (CONSOLE_S if options["decide"] == "console" else TERMINAL_S)
        try:
            self._see_through(run, options["decide"], timeout_s)
        except EOFError as error:
            self._give_up(run)
            raise CommandError(
                "nobody can be asked here: add --decide approve, deny or console; the run is cancelled"
            ) from error
        self._show(run)
        if run.state != "completed":
            reason = f"{run.status_reason} {run.status_detail}".rstrip()
            raise CommandError(f"the run ended {run.state}: {reason}", returncode=1)

    def _see_through(self, run: Run, answer: str | None, timeout_s: float) -> None:
        """Answer whatever waits until the run has ended; the time that people take to answer does not count.

        Raises EOFError when there is nobody to ask.
        """
        self._left_alone_at = time.monotonic()
        while not run.has_ended:
            self._answer(run, answer)
            if time.monotonic() > self._left_alone_at + timeout_s:
                raise CommandError(
                    f"run {run.pk} is {run.state} after {timeout_s:.0f} s; are workers running?"
                )
            time.sleep(0.2)
            run.refresh_from_db()

    def _give_up(self, run: Run) -> None:
        """Cancel the run, and wait a moment for its end: the workers may be about to stop with this command."""
        self._cancel(run, "nobody was there to be asked")
        deadline = time.monotonic() + CANCELLED_WITHIN_S
        while not run.has_ended and time.monotonic() < deadline:
            time.sleep(0.2)
            run.refresh_from_db()

    @staticmethod
    def _cancel(run: Run, reason: str) -> None:
        if run.application:
            cancel_run(actor=run.application.service_account, run=run, reason=reason)

    def _start(self, story: str) -> Run:
        scripts = load_scripts(SHIPPED)
        if story not in scripts:
            raise CommandError(f"there is no story {story!r}; there are: {', '.join(sorted(scripts))}")
        application = Application.objects.select_related("service_account").get(slug=APPLICATION)
        agent = application.team.agents.get(slug=AGENT)
        told = choose_request(scripts[story].request or "", Run.objects.filter(identity=agent).count())
        self.stdout.write(f"Customer: {told.message}\n")
        return start_run(
            actor=application.service_account,
            agent=agent,
            message=told.message,
            issuer="https://shop.example",
            subject=told.customer,
            application=application,
            task=find_task(agent, story),
        )

    def _answer(self, run: Run, answer: str | None) -> None:
        for request in ApprovalRequest.objects.filter(subject_ref=str(run.pk), state="waiting"):
            if request.pk not in self._presented:
                self._present(request)
                self._direct(request, answer)
            if answer == "console":
                continue
            self._decide(request, answer or self._ask())
        if any(action["type"] != "approval" for action in run.required_actions):
            self._cancel(run, "the demo answers approvals only")

    def _decide(self, request: ApprovalRequest, verdict: str) -> None:
        approver = User.objects.get(username=APPROVER)
        try:
            answer_request(approver, request, verdict, self.stdout.write)
        except AgentOpsError as error:
            self.stdout.write(f"  not decided: {error}")
        else:
            self.stdout.write(f"  {approver.username} decided: {verdict}\n")

    def _present(self, request: ApprovalRequest) -> None:
        self._presented.add(request.pk)
        shown = read_evidence(request) or {}
        seconds = (request.expires_at - request.created_at).total_seconds()
        self.stdout.write(f"Waiting for a person: {shown.get('agent')} wants to {shown.get('statement')}")
        self.stdout.write(f"  on behalf of   {shown.get('principal', {}).get('subject')}")
        self.stdout.write(f"  the model says “{shown.get('why')}”")
        self._show_changes(shown.get("preview"))
        self.stdout.write(
            f"  effect         {request.effect}; unanswered it is refused after {seconds:.0f} s"
        )

    def _show_changes(self, preview: dict[str, Any] | None) -> None:  # Any: erasable JSON
        told = tell(preview)
        for row in told.rows if told else ():
            after = "stays so" if row.stays else f"→ {row.after}"
            self.stdout.write(f"  will change    {row.label}: {row.before} {after}")
        for since in (told.since if told else None) or ():
            self.stdout.write(f"  shown before   {since.label}: {since.then}")

    def _direct(self, request: ApprovalRequest, answer: str | None) -> None:
        if answer == "console":
            page = reverse("admin:approvals_approvalrequest_change", args=[request.pk])
            self.stdout.write(f"  decide it as {APPROVER} at {console_url()}{page}")

    def _ask(self) -> str:
        while True:
            answer = input(f"  {', '.join(ANSWERS[:-1])} or {ANSWERS[-1]}? ").strip().lower()
            if answer in ANSWERS:
                self._left_alone_at = time.monotonic()
                return answer

    def _show(self, run: Run) -> None:
        items, totals = read_trace(run), read_totals(run)
        self.stdout.write("Trace")
        for item in items:
            cost = f"  {item.tokens} tokens, {money(item.usd)}" if item.tokens else ""
            self.stdout.write(
                f"  {item.at:%H:%M:%S.%f}"[:-3] + f"  {LANE_MARKS[item.lane]}  {item.title}{cost}"
            )
        ending = read_ending(run)
        self.stdout.write(f"\nAgent: {ending.get('answer') or ending.get('summary')}\n")
        self.stdout.write(
            f"{run.state}: {totals.steps} steps, {totals.calls} calls, {totals.tokens} tokens, {money(totals.usd)}; "
            f"run {run.pk}, trace {run.trace_id}"
        )
