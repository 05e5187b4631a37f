"""Reviewing together: what waits in groups, a batch with its preflight, its confirmation and its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet, prefetch_related_objects
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
from approvals.batches.items import about_batch
from approvals.batches.preparing import check_batch, find_sample, leave_out, open_batch
from approvals.batches.showing import (
    MOST_ROWS,
    count_items,
    count_outcomes,
    find_named,
    read_shown,
    read_stood_in,
    read_sums,
)
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest, BatchGroup, BatchItem
from identities.acting import acting_person
from identities.factors import has_fresh_factor
from identities.models import User

MOST_GROUPS = 10  # of a batch on one page
RELATED = ("identity", "tool", "tool_version", "principal")
TOO_MANY = "Too many requests. Wait a minute."
STATUS: dict[type[AgentOpsError], int] = {
    NotFound: 404, StateConflict: 409, ValidationFailed: 422, PolicyDenied: 403,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WaitingGroup:
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
            "groups": [WaitingGroup(group) for group in arrange(pairs)],
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
        acts = {
            "leave_out": self._leave_out, "check": self._check, "anew": self._open_anew, "go_on": self._go_on
        }  # fmt: skip
        try:
            return acts.get(request.POST.get("act", ""), self._decide_batch)(request, batch)
        except AgentOpsError as error:
            problem = (error.detail or error.code).rstrip(".")
            return self._show_batch(request, batch, f"{problem}. Nothing was decided.", _status_of(error))

    def _leave_out(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        leave_out(actor=acting_person(request), batch=batch, requests=_read_ids(request, "out"))
        return HttpResponseRedirect(self._batch_url(batch))

    def _check(self, request: HttpRequest, batch: ApprovalBatch) -> HttpResponse:
        """Look at each request of one's own draft again."""
        check_batch(actor=acting_person(request), batch=batch)
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
        # Nothing is checked here: the page costs the same however many the batch holds.
        batch = ApprovalBatch.objects.select_related("person").get(pk=batch.pk)
        is_draft = batch.state == ApprovalBatch.State.DRAFT
        counts = count_items(batch)
        shown = {
            "title": _title_of(batch),
            "batch": batch,
            "is_mine": batch.person_id == acting_person(request).pk,
            "counts": counts,
            "excluded": _page_of(
                request, "excluded", find_named(batch, BatchItem.State.EXCLUDED), counts["excluded"]
            ),
            "problem": problem,
            "given_reason": request.POST.get("reason", ""),
            **(self._draft_context(request, batch) if is_draft else _results_context(request, batch, counts)),
        }
        return self._render(request, "approvals/batch.html", shown, status)

    def _draft_context(self, request: HttpRequest, batch: ApprovalBatch) -> dict[str, Any]:
        is_approval = batch.verdict == ApprovalDecision.Verdict.APPROVE
        return {
            **_read_groups(request, batch),
            "sums": read_sums(batch.sums),
            "stood_in": read_stood_in(batch),
            "about": about_batch(batch.verdict, batch.digest),
            **(_read_sample(batch) if is_approval else {}),
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


def _read_groups(request: HttpRequest, batch: ApprovalBatch) -> dict[str, Any]:
    """Return one page of the groups with the first of each; or of one group, where that is asked for."""
    rows, name = BatchGroup.objects.filter(batch=batch), request.GET.get("group", "")
    if chosen := rows.filter(name=name).first() if name.isalnum() else None:
        places = Paginator(range(chosen.count), MOST_ROWS).get_page(request.GET.get("page"))
        groups = read_shown(batch, [chosen], max(0, places.start_index() - 1))
        return {"chosen": chosen, "page": places, "groups": groups}
    page = Paginator(rows, MOST_GROUPS).get_page(request.GET.get("page"))
    return {"page": page, "groups": read_shown(batch, list(page.object_list))}


def _read_sample(batch: ApprovalBatch) -> dict[str, Any]:
    drawn = find_sample(batch)
    first = drawn.select_related("request__tool", "request__identity").order_by("is_opened", "pk")[:MOST_ROWS]
    return {
        "sample": list(first),
        "sample_size": drawn.count(),
        "sample_left": drawn.filter(is_opened=False).count(),
    }


def _page_of(
    request: HttpRequest, name: str, rows: QuerySet[BatchItem], count: int
) -> Page[Any]:  # Any: items
    """Return one page of items, cut by the database; ``count`` is how many there are in all."""
    paginator = Paginator(rows, MOST_ROWS)
    paginator.__dict__["count"] = count  # known already
    return paginator.get_page(request.GET.get(name))


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


def _results_context(request: HttpRequest, batch: ApprovalBatch, counts: Mapping[str, int]) -> dict[str, Any]:
    rows = find_named(batch, BatchItem.State.DECIDED)
    decided = _page_of(request, "decided", rows, counts["decided"])
    return {"outcomes": count_outcomes(batch), "decided": decided}
