"""Answers for what never reaches a view of the API: unknown hosts, failures of Django itself.

Named in ``config.urls`` as ``handler400`` and so on. Outside ``/api/`` the console's pages answer.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from agentops.api.problem_document import PROBLEM_MEDIA_TYPE, Problem
from agentops.api.problems import describe
from agentops.tracing import continue_trace


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django finds suspicious, such as one for an unknown host."""
    if not _is_for_api(request):
        return defaults.bad_request(request, exception)
    return _respond(request, describe(exception))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what a middleware refuses."""
    if not _is_for_api(request):
        return defaults.permission_denied(request, exception)
    return _respond(request, describe(PermissionDenied()))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere."""
    if not _is_for_api(request):
        return defaults.page_not_found(request, exception)
    return _respond(request, describe(Http404()))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a failure outside any view; Django has logged it."""
    if not _is_for_api(request):
        return defaults.server_error(request)
    return _respond(request, describe(RuntimeError()))


def _is_for_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _respond(request: HttpRequest, problem: Problem) -> HttpResponse:
    trace = continue_trace(request.headers.get("traceparent"))
    return JsonResponse(
        problem.document(request.path),
        status=problem.status,
        headers={**problem.headers, "traceparent": trace.traceparent},
        content_type=PROBLEM_MEDIA_TYPE,
    )
