"""Runs that ask to go on beyond a limit: the queue, and the page on which a person decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path

from agentops.console.columns import moment_column, state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.second_factor import accept_code
from agentops.console.streams import register_streams
from agentops.console.words import money
from agentops.errors import AgentOpsError, ValidationFailed
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from identities.models import User
from runs.extending import may_extend
from runs.extensions import More, grant_extension, refuse_extension
from runs.models import Extension, Handover
from runs.words import read_first, read_progress

LABELS = {"steps": "Steps", "tokens": "Tokens", "usd": "Money", "seconds": "Seconds of work"}


@admin.register(Extension)
class ExtensionAdmin(GovernedAdmin):
    """What runs ask, the newest first."""

    page_template = "runs/extension.html"
    list_title = "Runs that ask to go on"
    empty_words = "No run has asked: those that may go on beyond a limit ask here when they reach one."
    list_display = ("asks", "limit", state_column(), moment_column("created_at", "asked"), "decided_by")
    list_filter = ("state", "limit")
    list_select_related = ("identity", "decided_by")
    ordering = ("-id",)
    actions = None

    @admin.display(description="agent")
    def asks(self, extension: Extension) -> str:
        """Name the agent."""
        return str(extension.identity)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page about a question names."""
        related = "identity", "decided_by", "run__principal", "run__team", "run__application", "run__identity"
        return super().get_queryset(request).select_related(*related)

    def page_context(self, request: HttpRequest, subject: Extension) -> dict[str, Any]:
        """Add what the run has done and used, what it may be given, and whether this person may decide."""
        person = acting_person(request)
        may = may_extend(person, subject.run, subject, second_factor=True)
        return {
            "title": f"{subject.identity} asks to go on",
            "first": read_first(subject.run),
            "progress": read_progress([subject]).get(subject.pk, {}),
            "is_open": subject.state == Extension.State.WAITING and not subject.run.has_ended,
            "refusal": "" if may.allowed else may.detail or may.code,
            "needs_code": not has_fresh_factor(person),
            "units": _tell_units(subject),
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the address that decisions are sent to."""
        view = self.admin_site.admin_view(self.decide_view)
        return [path("<uuid:pk>/decide/", view, name="runs_extension_decide"), *super().get_urls()]

    def decide_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Let the run go on with what the form says, or not."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        extension = self.get_object(request, str(pk))
        if extension is None:
            return self.refuse_unknown(request)
        if problem := accept_code(request):
            messages.error(request, problem)
            return HttpResponseRedirect(self.page_url("change", pk))
        try:
            messages.success(request, _decide(acting_person(request), extension, request.POST))
        except AgentOpsError as error:
            messages.error(request, f"{(error.detail or error.code).capitalize()}. Nothing was changed.")
        return HttpResponseRedirect(self.page_url("change", pk))


def _tell_units(asked: Extension) -> list[dict[str, Any]]:
    run = asked.run
    used: dict[str, int | Decimal] = {
        "steps": run.steps, "tokens": run.tokens, "usd": run.usd, "seconds": run.worked_ms // 1000
    }  # fmt: skip
    return [
        {
            "name": unit,
            "label": LABELS[unit],
            "used": _tell(unit, used[unit]),
            "limit": _tell(unit, getattr(run, f"max_{unit}")),
            "most": getattr(asked, f"most_{unit}"),
            "most_told": _tell(unit, getattr(asked, f"most_{unit}")),
            "granted": _tell(unit, getattr(asked, unit)),
            "is_reached": unit == asked.limit,
        }
        for unit in asdict(More())
    ]


def _tell(unit: str, amount: int | Decimal | None) -> str | None:
    if amount is None:
        return None
    return money(Decimal(amount), "USD") if unit == "usd" else f"{amount:,}"


def _decide(person: User, extension: Extension, given: Mapping[str, str]) -> str:
    reason, is_fresh = given.get("reason", "").strip(), has_fresh_factor(person)
    if given.get("verdict") == "refuse":
        refuse_extension(actor=person, extension=extension, reason=reason, second_factor=is_fresh)
        return "Refused: the run halts at its limit."
    if given.get("verdict") != "grant":
        raise ValidationFailed("bad_verdict", "grant some, or refuse")
    grant_extension(
        actor=person, extension=extension, more=_read_more(given), reason=reason, second_factor=is_fresh
    )
    return "Granted: the run goes on."


def _read_more(given: Mapping[str, str]) -> More:
    try:
        steps, tokens, seconds = (int(given.get(unit) or 0) for unit in ("steps", "tokens", "seconds"))
        usd = Decimal(given.get("usd") or 0)
    except (ValueError, InvalidOperation) as error:
        raise ValidationFailed("bad_amount", "write amounts as numbers") from error
    if not usd.is_finite():
        raise ValidationFailed("bad_amount", "write amounts as numbers")
    return More(steps, tokens, usd, seconds)


def find_open(request: HttpRequest) -> QuerySet[Extension]:
    """Return the runs that wait for a decision."""
    return Extension.objects.visible_to(acting_person(request)).open()


register_destination(
    Destination("Asking to go on", "admin:runs_extension_changelist", order=28, waiting=find_open)
)
register_streams("handover", Handover.objects.visible_to)
