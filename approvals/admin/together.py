"""Reviewing together: what waits in groups, a batch with its preflight, its confirmation and its results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from agentops.api.limits import count_request, read_policy
from agentops.console.governed import GovernedAdmin
from agentops.console.second_factor import accept_code
from agentops.console.security_keys import offers_keys, take_signature
from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.batches.deciding import carry_on, decide_batch
from approvals.batches.groups import MOST_GROUPED, Group, arrange, name_groups, read_decidable
from approvals.batches.items import about_batch, digest_batch
from approvals.batches.preparing import leave_out, open_batch, prepare_batch, read_sample
from approvals.batches.sealed import read_pairs
from approvals.batches.seats import find_seats
from approvals.models import Absence, ApprovalBatch, ApprovalDecision, ApprovalRequest, BatchItem
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from identities.models import User

MOST_ROWS = 50  # of a group that are shown; the unusual ones come first
MOST_NAMED = 200  # of those that are excluded, each with its reason
RELATED = ("identity", "tool", "tool_version", "principal")
TOO_MANY = "Too many requests. Wait a minute."
STATUS: dict[type[AgentOpsError], int] = {
    NotFound: 404, StateConflict: 409, ValidationFailed: 422, PolicyDenied: 403,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group as a page shows it: the first of its members, and how many are not shown."""

    group: Group

    @property
    def members(self) -> Sequence[Any]:
        return self.group.members[:MOST_ROWS]

    @property
    def rest(self) -> int:
        return max(0, len(self.group.members) - MOST_ROWS)


class TogetherPages(GovernedAdmin):
    """The pages of batches, beside the inbox."""

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the groups, and of one batch."""
        groups, batch = (self.admin_site.admin_view(view) for view in (self.groups_view, self.batch_view))
        return [
            path("together/", groups, name="approvals_approvalrequest_together"),
            path("together/<uuid:pk>/", batch, name="approvals_approvalrequest_batch"),
            *super().get_urls(),
        ]

    # --- groups -----------------------------------------------------------------------------------------

    def groups_view(self, request: HttpRequest) -> HttpResponse:
        """Show what this person could decide, in groups (GET); put a batch together of what was chosen (POST)."""
        if request.method == "POST":
            return self._open(request)
        return self._show_groups(request)

    def _show_groups(self, request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
        found = read_decidable(acting_person(request), most=MOST_GROUPED + 1)
        pairs = load_names(found[:MOST_GROUPED])
        latest = ApprovalBatch.objects.filter(person=acting_person(request)).exclude(state="draft")
        shown = {
            "title": "Review together",
            "groups": [ShownGroup(group) for group in arrange(pairs)],
            "most": MOST_GROUPED if len(found) > MOST_GROUPED else None,
            "batches": latest.order_by("-created_at")[:5],
            "problem": problem,
        }
        return self._render(request, "approvals/together.html", shown, status)

    def _open(self, request: HttpRequest) -> HttpResponse:
        person, verdict = acting_person(request), request.POST.get("verdict", "approve")
        if count_request(read_policy("write"), str(person.pk)).is_exceeded:
            return self._show_groups(request, TOO_MANY, 429)
        try:
            batch = open_batch(actor=person, verdict=verdict, chosen=_read_chosen(request, person))
        except AgentOpsError as error:
            return self._show_groups(request, error.detail or error.code, _status_of(error))
        return HttpResponseRedirect(self._batch_url(batch))

    # --- one batch --------------------------------------------------------------------------------------

    def batch_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show a batch as it stands (GET); leave something out, put it together anew, or decide it (POST)."""
        batch = ApprovalBatch.objects.visible_to(acting_person(request)).filter(pk=pk).first()
        if batch is None:
            return self.refuse_unknown(request)
        if request.method == "GET":
            return self._show_batch(request, batch)
        if request.method != "POST":
            return HttpResponseNotAllowed(["GET", "POST"])
        if count_request(read_policy("write"), str(acting_person(request).pk)).is_exceeded:
            return self._show_batch(request, batch, TOO_MANY, 429)
        acts = {"leave_out": self._leave_out, "anew": self._open_anew, "go_on": self._go_on}
        try:
            return acts.get(request.POST.get("act", ""), self._decide_batch)(request, batch)
        except AgentOpsError as error:
            problem = (error.detail or error.code).rstrip(".")
            return self._show_batch(request, batch, f"{problem}. Nothing was decided.", _status_of(error))

    def _leave_out(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        leave_out(actor=acting_person(request), batch=batch, requests=_read_ids(request, "out"))
        return HttpResponseRedirect(self._batch_url(batch))

    def _open_anew(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        """Put the same requests together, as they are now, perhaps to be decided the other way."""
        kept = batch.items.exclude(state=BatchItem.State.LEFT_OUT).values_list("request_id", flat=True)
        chosen = dict(ApprovalRequest.objects.filter(pk__in=kept).values_list("pk", "digest"))
        person, verdict = acting_person(request), request.POST.get("verdict", batch.verdict)
        return HttpResponseRedirect(self._batch_url(open_batch(actor=person, verdict=verdict, chosen=chosen)))

    def _go_on(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        """Go on with a batch that its person has confirmed, and whose decisions were interrupted."""
        if batch.person_id == acting_person(request).pk:
            carry_on(batch)
        return HttpResponseRedirect(self._batch_url(batch))

    def _decide_batch(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        if problem := accept_code(request):
            return self._show_batch(request, batch, problem, 403)
        digest = request.POST.get("digest", "")
        decide_batch(
            actor=acting_person(request),
            batch=batch,
            digest=digest,
            reason=request.POST.get("reason", "").strip(),
            channel=ApprovalDecision.Channel.CONSOLE,
            second_factor=has_fresh_factor(acting_person(request)),
            signature=take_signature(request, about_batch(batch.verdict, digest)),
        )
        return HttpResponseRedirect(self._batch_url(batch))

    def _show_batch(
        self, request: HttpRequest, batch: ApprovalBatch, problem: str = "", status: int = 200
    ) -> HttpResponse:
        batch = prepare_batch(batch)
        items = list(batch.items.select_related("request__tool", "request__identity", "request__principal"))
        is_draft = batch.state == ApprovalBatch.State.DRAFT
        shown = {
            "title": _title_of(batch),
            "batch": batch,
            "is_mine": batch.person_id == acting_person(request).pk,
            "counts": Counter(item.state for item in items),
            "excluded": [item for item in items if item.state == BatchItem.State.EXCLUDED],
            "most_named": MOST_NAMED,
            "problem": problem,
            "given_reason": request.POST.get("reason", ""),
            **(self._draft_context(request, batch, items) if is_draft else _results_context(items)),
        }
        return self._render(request, "approvals/batch.html", shown, status)

    def _draft_context(
        self, request: HttpRequest, batch: ApprovalBatch, items: Sequence[BatchItem]
    ) -> dict[str, Any]:
        ready = [item for item in items if item.state == BatchItem.State.READY]
        groups = arrange(load_names(read_pairs([item.request for item in ready])))
        digest = digest_batch(batch, [(item.request_id, item.digest) for item in ready])
        sample = read_sample(batch) if batch.verdict == ApprovalDecision.Verdict.APPROVE else []
        return {
            "groups": [ShownGroup(group) for group in groups],
            "sums": _add_up(groups),
            "stood_in": _count_stood_in(batch, ready),
            "digest": digest,
            "about": about_batch(batch.verdict, digest),
            "sample": sample,
            "sample_left": sum(not item.is_opened for item in sample),
            "needs_code": not has_fresh_factor(acting_person(request)),
            "has_key": offers_keys(request),
        }

    def _batch_url(self, batch: ApprovalBatch) -> str:
        return reverse("admin:approvals_approvalrequest_batch", args=[batch.pk])

    def _render(
        self, request: HttpRequest, template: str, shown: dict[str, Any], status: int
    ) -> TemplateResponse:
        everything = {**self.admin_site.each_context(request), "opts": self.opts, **shown}
        return TemplateResponse(request, template, everything, status=status)


def _count_stood_in(batch: ApprovalBatch, ready: Sequence[BatchItem]) -> list[tuple[Absence, int]]:
    """Return for whom who is away the person decides how many of these."""
    seats = find_seats(batch.person, [item.request_id for item in ready]).values()
    return Counter(absence for absence in seats if absence is not None).most_common()


def load_names(pairs: Sequence[Any]) -> list[Any]:  # Any: pairs of a request and what was asked
    """Return the pairs with what a page names of each request loaded."""
    # Thousands of requests name a few agents and tools: these are read once each, and not once with every request.
    prefetch_related_objects([request for request, _ in pairs], *RELATED)
    return list(pairs)


def _read_chosen(request: HttpRequest, person: User) -> dict[UUID, str]:
    """Return what was chosen: one group as it is now, or requests of the inbox, each with the digest shown there."""
    if group := request.POST.get("group", ""):
        pairs = read_decidable(person)
        named = name_groups(pairs)
        return {asked.pk: asked.digest for asked, _ in pairs if named[asked.pk] == group}
    chosen = {}
    for value in request.POST.getlist("chosen"):
        pk, _, digest = value.partition(":")
        chosen[_read_id(pk)] = digest
    return chosen


def _read_ids(request: HttpRequest, name: str) -> list[UUID]:
    return [_read_id(value) for value in request.POST.getlist(name)]


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationFailed("bad_batch", "what was chosen is no request") from None


def _status_of(error: AgentOpsError) -> int:
    return next((number for kind, number in STATUS.items() if isinstance(error, kind)), 400)


def _title_of(batch: ApprovalBatch) -> str:
    word = "Approve" if batch.verdict == ApprovalDecision.Verdict.APPROVE else "Deny"
    return f"{word} together"


def _add_up(groups: Sequence[Group]) -> list[tuple[Decimal, str]]:
    total: dict[str, Decimal] = defaultdict(Decimal)
    for group in groups:
        for amount, currency in group.sums:
            total[currency] += amount
    return [(amount, currency) for currency, amount in sorted(total.items())]


def _results_context(items: Sequence[BatchItem]) -> dict[str, Any]:
    decided = [item for item in items if item.state == BatchItem.State.DECIDED]
    return {"outcomes": dict(Counter(item.outcome for item in decided)), "decided": decided[:MOST_NAMED]}
