"""The base of every view: trace, rate limit and pages, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import APIException, NotFound, Throttled
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from agentops.api.limits import RateLimit
from agentops.api.pagination import CursorPage
from agentops.api.serializers import Fields, QuerySerializer, check_parameters
from agentops.logs import in_trace
from agentops.tracing import TraceContext, continue_trace

Row = TypeVar("Row", bound=Model)


class ApiView(APIView):
    """A view that continues the caller's trace and tells the caller where it stands."""

    http_method_names = ("get", "head", "post")
    query: ClassVar[type[QuerySerializer]] = QuerySerializer  # what a GET may be asked with, pages apart
    pagination_class: ClassVar[type[CursorPage] | None] = None
    trace: TraceContext

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:  # Any: the URL's parameters
        super().setup(request, *args, **kwargs)
        self.trace = continue_trace(request.headers.get("traceparent"), request.headers.get("tracestate"))
        self.rate_limit = RateLimit()

    # Any: the URL's parameters, and what DRF's stubs say of answers
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        with in_trace(self.trace.trace_id):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # Any: the URL's parameters
        try:
            super().initial(request, *args, **kwargs)
        except APIException:
            self._count_stranger(request)
            raise
        method = (request.method or "").lower()
        if method not in self.http_method_names or not hasattr(self, method):
            return  # the answer is 405, whatever else is wrong
        check_parameters(request, self._parameters() if request.method in SAFE_METHODS else ())
        if request.method == "POST":
            _ = request.data  # read now: a body that cannot be read is refused before what it lacks

    def _count_stranger(self, request: Request) -> None:
        """Count what is refused before it is known who asks: whoever guesses keys is told to slow down."""
        if self.rate_limit.standing is None and not self.rate_limit.allow_stranger(request):
            raise Throttled(self.rate_limit.wait())

    def _parameters(self) -> set[str]:
        """Return the names of all query parameters, those that the OpenAPI document declares."""
        pages = self.pagination_class().get_schema_operation_parameters(self) if self.pagination_class else ()
        return {*self.query().fields, *(each["name"] for each in pages)}

    def get_throttles(self) -> list[BaseThrottle]:
        return [self.rate_limit]

    # Any: some answers are streams, for which the stubs of DRF have no place.
    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(response, "exception", False):
            # A problem is JSON, whatever was asked for.
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        final = super().finalize_response(request, response, *args, **kwargs)
        final["traceparent"] = self.trace.traceparent
        if self.rate_limit.standing:
            for name, value in self.rate_limit.standing.headers().items():
                final[name] = value
        return final


class ListView(ApiView):
    """A view that answers with a page of rows."""

    pagination_class: ClassVar[type[CursorPage]] = CursorPage

    def answer_page(
        self,
        request: Request,
        rows: QuerySet[Row],
        render: Callable[[list[Row]], list[Fields]],
    ) -> Response:
        """Answer with one page; `render` turns its rows into JSON documents, all of them at once."""
        paginator = self.pagination_class()
        return paginator.get_paginated_response(render(paginator.paginate_queryset(rows, request, self)))


class UnknownAddress(ApiView):
    """What every address under the API's root that leads nowhere is answered with, whatever the method."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # Any: the URL's parameters
        self._count_stranger(request)
        raise NotFound("There is nothing at this address.")
