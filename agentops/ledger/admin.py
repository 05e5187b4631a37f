"""The ledger: search, one stream with its proof, one entry with its words, verification."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import known_kinds, streams_visible_to
from agentops.console.words import count
from agentops.ledger.checkpoint_faults import find_faults_of
from agentops.ledger.checkpoints import read_last
from agentops.ledger.models import Stream
from agentops.ledger.search import ENTRIES_PER_PAGE, Query, find_entries, read_entry, read_page
from agentops.ledger.signed import read_signed
from agentops.ledger.verification import verify_streams

MOST_VERIFIED = 500  # streams; the command line verifies all of them


@admin.register(Stream)
class StreamAdmin(GovernedAdmin):
    """The streams that the viewer may read: those of what they see, or all with ``ledger.view_entry``."""

    page_template = "ledger/stream.html"
    actions = None

    def visible(self, queryset: Any, user: Any) -> QuerySet[Stream]:
        """Limit streams to those of objects that the user may see."""
        return streams_visible_to(user)

    def get_urls(self) -> list[URLPattern]:
        """Add the page of one entry, the checkpoints, and the verifications."""
        view = self.admin_site.admin_view
        return [
            path("verify/", view(self.verify_all_view), name="ledger_verify"),
            path("checkpoints/", view(self.checkpoints_view), name="ledger_checkpoints"),
            path(
                "checkpoints/<int:number>/verify/",
                view(self.verify_checkpoint_view),
                name="ledger_checkpoint_verify",
            ),
            path("<uuid:pk>/verify/", view(self.verify_view), name="ledger_stream_verify"),
            path("<uuid:pk>/<int:seq>/", view(self.entry_view), name="ledger_stream_entry"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Search: entries by kind, actor or stream, the latest first."""
        query = Query.from_parameters(request.GET)
        found = find_entries(query, self.get_queryset(request), everything=_reads_everything(request))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Ledger",
            "query": query,
            "found": found,
            "actors": _names(entry.actor for entry in found.entries),
            "kinds": known_kinds(),
            "most_verified": MOST_VERIFIED,
            "checkpoint": read_last(),
            "reads_everything": _reads_everything(request),
        }
        return TemplateResponse(request, "ledger/search.html", context)

    def page_context(self, request: HttpRequest, subject: Stream) -> dict[str, Any]:
        """Add a page of entries; ``?before=`` pages back."""
        before = request.GET.get("before", "")
        last = min(subject.head_seq, int(before) - 1) if before.isdecimal() else subject.head_seq
        entries = read_page(subject.pk, last)
        return {
            "title": f"{subject.kind} {subject.pk}",
            "entries": entries,
            "actors": _names(entry.actor for entry in entries),
            "older": entries[-1].seq if entries and entries[-1].seq > 1 else None,
            "newest": last == subject.head_seq,
            "per_page": ENTRIES_PER_PAGE,
        }

    def entry_view(self, request: HttpRequest, pk: UUID, seq: int) -> HttpResponse:
        """Show one entry: its facts, its words or that they were erased, and what its hash is made of."""
        stream = self.get_object(request, unquote(str(pk)))
        entry = read_entry(pk, seq) if stream is not None else None
        if stream is None or entry is None:
            return self.refuse_unknown(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Entry {seq}: {entry.kind}",
            "stream": stream,
            "entry": entry,
            "actor": _names([entry.actor]).get(entry.actor) if entry.actor else None,
        }
        return TemplateResponse(request, "ledger/entry.html", context)

    def verify_view(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Verify one stream and say what was found."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        stream = self.get_object(request, str(pk))
        if stream is None:
            return self.refuse_unknown(request)
        self._verify(request, [stream.pk])
        return HttpResponseRedirect(self.page_url("change", stream.pk))

    def verify_all_view(self, request: HttpRequest) -> HttpResponse:
        """Verify the newest streams that the viewer may read."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        newest = self.get_queryset(request).order_by("-pk").values_list("pk", flat=True)[: MOST_VERIFIED + 1]
        streams = list(newest)
        self._verify(request, streams[:MOST_VERIFIED])
        if len(streams) > MOST_VERIFIED:
            messages.warning(
                request, f"These are the newest {MOST_VERIFIED} streams; python3 -m agentops verify does all."
            )
        return HttpResponseRedirect(self.page_url("changelist"))

    def checkpoints_view(self, request: HttpRequest) -> HttpResponse:
        """List the checkpoints, for who may read the whole ledger: they are about all of it."""
        if not _reads_everything(request):
            raise PermissionDenied
        before = request.GET.get("before", "")
        found, older = read_signed(int(before[:9]) if before.isdecimal() else None)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Checkpoints",
            "checkpoints": found,
            "before": before,
            "older": older,
        }
        return TemplateResponse(request, "ledger/checkpoints.html", context)

    def verify_checkpoint_view(self, request: HttpRequest, number: int) -> HttpResponse:
        """Compare one checkpoint with its heads and their entries, and say what was found."""
        if not _reads_everything(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        with connection.cursor() as cursor:
            faults = find_faults_of(cursor, number)
        if not faults:
            messages.success(request, f"Checkpoint {number}: what it signed is there, as it was.")
        for fault in faults[:20]:
            messages.error(request, f"Stream {fault.stream}, entry {fault.seq}: {fault.code}. {fault.detail}")
        return HttpResponseRedirect(reverse("admin:ledger_checkpoints"))

    def _verify(self, request: HttpRequest, streams: list[UUID]) -> None:
        with connection.cursor() as cursor:
            report = verify_streams(cursor, streams)
        if not report.faults:
            entries, streams_told = count(report.entries, "entry", "entries"), count(report.streams, "stream")
            messages.success(request, f"Verified: {entries} in {streams_told}, none altered.")
        for fault in report.faults[:20]:
            messages.error(request, f"Stream {fault.stream}, entry {fault.seq}: {fault.code}. {fault.detail}")


def _reads_everything(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.has_perm("ledger.view_entry")


def _names(actors: Any) -> dict[UUID, str]:
    """Return the usernames of accounts; Any: an iterable of ids, some of them None."""
    people = get_user_model()._default_manager.filter(pk__in={actor for actor in actors if actor})
    return {person.pk: person.get_username() for person in people}


register_destination(Destination("Ledger", "admin:ledger_stream_changelist", order=80, section="Govern"))
