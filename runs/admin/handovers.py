"""The queue of conversations that agents passed to people, and the page on which one is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.errors import AgentOpsError, ValidationFailed
from identities.acting import acting_person
from identities.models import User
from runs.admin.pages import read_questions
from runs.answering import (
    CLAIM,
    CLOSING,
    answer_handover,
    claim_handover,
    close_handover,
    is_claimed,
    release_handover,
)
from runs.conversation import read_conversation, whose_turn
from runs.models import Handover
from runs.policies import may_answer
from runs.querysets import WAITED_FOR

SHOWN = 50
TURNS = {
    "person": "It waits for a person’s answer.",
    "user": "It waits for the user.",
    "agent": "The agent is going on with it.",
    "nobody": "It has ended.",
}


class Told(NamedTuple):
    """A conversation in the queue."""

    handover: Handover
    question: str | None
    claimant: str
    may_answer: bool


@admin.register(Handover)
class HandoverAdmin(GovernedAdmin):
    """The oldest open conversation first; below, the latest answered ones."""

    actions = None
    page_template = "runs/conversation.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what every page about a conversation names."""
        related = "run__identity", "run__principal", "run__team", "answered_by", "claimed_by"
        return super().get_queryset(request).select_related(*related)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the queue."""
        rows = self.get_queryset(request)
        open_rows = list(rows.filter(WAITED_FOR).order_by("opened_at")[:SHOWN])
        answered = list(rows.filter(answered_at__isnull=False).order_by("-answered_at")[:10])
        questions = read_questions([*open_rows, *answered])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Handed over to people",
            "open": _tell(open_rows, questions, acting_person(request)),
            "answered": [(handover, questions.get(handover.pk)) for handover in answered],
        }
        return TemplateResponse(request, "runs/handovers.html", context)

    def page_context(self, request: HttpRequest, subject: Handover) -> dict[str, Any]:
        """Add the conversation in full, whose turn it is, and what this person may do."""
        person = acting_person(request)
        said = read_conversation(subject.run)
        is_open = subject.answered_at is None and not subject.run.has_ended
        held = is_open and is_claimed(subject, timezone.now())
        return {
            "title": f"{subject.run.identity} for {subject.run.principal.subject[:40]}",
            "said": said,
            "turn": TURNS[whose_turn(subject.run)],
            "is_open": is_open,
            "may_answer": is_open and may_answer(person, subject.run).allowed,
            "is_mine": held and subject.claimed_by_id == person.pk,
            "is_anothers": held and subject.claimed_by_id != person.pk,
            "claim_s": CLAIM.total_seconds(),
            "outcomes": [(outcome.value, outcome.label) for outcome in CLOSING],
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the address that everything on the page is sent to."""
        view = self.admin_site.admin_view(self.act_view)
        return [path("<uuid:pk>/act/", view, name="runs_handover_act"), *super().get_urls()]

    def act_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Claim a conversation, release it, give it back with an answer, or end it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        handover = self.get_object(request, str(pk))
        if handover is None:
            return self.refuse_unknown(request)
        try:
            messages.success(request, _act(acting_person(request), handover, request.POST))
        except AgentOpsError as error:
            messages.error(request, f"{(error.detail or error.code).capitalize()}. Nothing was changed.")
        return HttpResponseRedirect(self.page_url("change", pk))


def _tell(rows: Sequence[Handover], questions: dict[UUID, str], person: User) -> list[Told]:
    """Return each conversation with the agent's words, who is answering it, if anybody, and if this person may."""
    now = timezone.now()
    one_each = {row.run.team_id: row.run for row in rows}  # the right is given team by team
    may = {team: may_answer(person, run).allowed for team, run in one_each.items()}
    return [
        Told(
            row,
            questions.get(row.pk),
            _claimant(row, person) if is_claimed(row, now) else "",
            may[row.run.team_id],
        )
        for row in rows
    ]


def _claimant(handover: Handover, person: User) -> str:
    return "you" if handover.claimed_by_id == person.pk else str(handover.claimed_by)


def _act(person: User, handover: Handover, given: Any) -> str:  # Any: a QueryDict
    verb, text = given.get("verb"), given.get("text", "").strip()
    if verb == "claim":
        claim_handover(actor=person, handover=handover)
        return "You are answering this now; others see that."
    if verb == "release":
        release_handover(actor=person, handover=handover)
        return "Others can answer this again."
    if verb == "answer":
        answer_handover(actor=person, handover=handover, text=text)
        return "Your answer went to the agent, which goes on with it."
    if verb == "close":
        close_handover(actor=person, handover=handover, outcome=given.get("outcome", ""), text=text)
        return "Your answer goes to the user, and the conversation has ended."
    raise ValidationFailed("unknown_answer", "this form is not complete; load the page again")


def find_open(request: HttpRequest) -> QuerySet[Handover]:
    """Return the conversations that wait for a person."""
    return Handover.objects.visible_to(acting_person(request)).open()


register_destination(Destination("Handovers", "admin:runs_handover_changelist", order=30, waiting=find_open))
