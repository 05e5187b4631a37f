"""A run's events, as pages of JSON or as a stream of server-sent events."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.pagination import NumberedPage, page, parse_number, read_limit, read_place
from agentops.api.refusals import ApiError
from agentops.api.serializers import Fields, render_rows
from agentops.api.sse import (
    CONTENT_TYPE,
    EventStreamRenderer,
    Subscription,
    read_last_event_id,
    respond_with_events,
)
from agentops.api.views import ApiView
from agentops.engine.events import ENDINGS
from agentops.ledger.store import Cursor, StoredEntry, read_entries_for_people, read_head
from identities.api.authentication import caller, read_caller_again
from runs.api.bodies import EventQuery
from runs.api.lookup import find_run
from runs.api.serializers import EventSerializer
from runs.models import Run

LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    OpenApiParameter.HEADER,
    description="Like `after`, which it overrides; browsers send it when an event stream reconnects.",
)


class Events(ApiView):
    """The ledger entries of a run."""

    renderer_classes = (JSONRenderer, EventStreamRenderer)
    pagination_class = NumberedPage
    query = EventQuery

    @extend_schema(
        operation_id="listEvents",
        tags=["runs"],
        parameters=[LAST_EVENT_ID],
        responses={
            (200, "application/json"): EventSerializer(many=True),
            (200, "text/event-stream"): OpenApiResponse(
                str, "`id` is the seq, `event` the kind, `data` an event as JSON. Ends with the run."
            ),
            204: OpenApiResponse(None, "An event stream of a run that has ended has nothing more to give."),
        },
    )
    def get(self, request: Request, run_id: UUID) -> HttpResponseBase:
        """List the events of a run, oldest first; with `Accept: text/event-stream`, follow them live.

        A stream goes on behind `Last-Event-ID`, or behind `after`, sends a comment every 15 seconds and ends
        with the event that ends the run.
        """
        run = find_run(caller(request), run_id)
        if isinstance(request.accepted_renderer, EventStreamRenderer):
            return _stream(request, run)
        return _list(request, run)


def _list(request: Request, run: Run) -> Response:
    after = read_last_event_id(request)
    limit, place = read_limit(request), read_place(request, parse_number)
    with connection.cursor() as cursor:
        start = max(after, place or 0)
        entries = read_entries_for_people(cursor, run.pk, after=start, limit=limit + 1, contents=True)
    shown = entries[:limit]
    return Response(page(_render(shown), shown[-1].seq if len(entries) > limit else None))


def _stream(request: Request, run: Run) -> HttpResponseBase:
    after = read_last_event_id(request)
    with connection.cursor() as cursor:
        if after > read_head(cursor, run.pk).seq:
            raise ApiError(400, "invalid_parameter", "This run has no event with that seq yet.")
        if run.has_ended and not _ends_after(cursor, run, after):
            return HttpResponse(status=204)  # tells an EventSource not to connect again
    if request.method == "HEAD":
        return HttpResponse(content_type=CONTENT_TYPE)
    return respond_with_events(
        Subscription(
            stream=run.pk,
            after=after,
            render=lambda entry: _render([entry])[0],
            is_last=lambda entry: entry.kind in ENDINGS,
            may_go_on=lambda: _may_still_see(request, run),
        )
    )


def _ends_after(cursor: Cursor, run: Run, after: int) -> bool:
    """Return whether the event that ended the run is still to come; what is noted later ends no stream."""
    cursor.execute(
        "SELECT 1 FROM ledger_entry WHERE stream = %s AND seq > %s AND kind = ANY(%s) LIMIT 1",
        [run.pk, after, list(ENDINGS)],
    )
    return cursor.fetchone() is not None


def _may_still_see(request: Request, run: Run) -> bool:
    user = read_caller_again(request)
    return user is not None and Run.objects.visible_to(user).filter(pk=run.pk).exists()


def _render(entries: list[StoredEntry]) -> list[Fields]:
    return render_rows(EventSerializer, entries)
