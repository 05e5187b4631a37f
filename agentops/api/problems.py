"""Every error of the API as a problem document, whoever raised it.

``code`` is the stable word that clients branch on; ``reasons`` lists every rule or field that said no.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from agentops import errors
from agentops.api.problem_document import PROBLEM_MEDIA_TYPE, Problem, Reason
from agentops.api.refusals import ApiError

# The most derived class that matches decides; what is not listed is our own fault: 500.
STATUSES: dict[type[Exception], int] = {
    errors.NotFound: 404,
    errors.StateConflict: 409,
    errors.PolicyDenied: 403,
    errors.ValidationFailed: 422,
    errors.ApprovalRequired: 409,
    errors.AdapterError: 502,
    errors.Overloaded: 429,
}

_CODE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")
_log = logging.getLogger(__name__)


def handle_exception(error: Exception, context: Mapping[str, Any]) -> Response:  # Any: DRF's context
    """Answer a view's exception; DRF's exception handler."""
    set_rollback()
    problem = describe(error)
    path = context["request"].path
    if problem.status >= 500:
        _log.error("unhandled error in %s", context["view"].__class__.__name__, exc_info=error)
    return Response(
        problem.document(path),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=PROBLEM_MEDIA_TYPE,
        exception=True,
    )


def describe(error: Exception) -> Problem:
    """Return what to tell the caller of an exception."""
    if isinstance(error, errors.AgentOpsError):
        return _describe_ours(error)
    if isinstance(error, ApiError):
        return Problem(error.status_code, error.code, str(error.detail), error.reasons)
    if isinstance(error, exceptions.ValidationError):
        reasons = tuple(_reasons_of(error.get_full_details(), "#"))
        return Problem(
            422, "validation_failed", "The request body is not what this operation takes.", reasons
        )
    if isinstance(error, exceptions.APIException):
        return _describe_framework(error)
    return _describe_django(error)


def _describe_ours(error: errors.AgentOpsError) -> Problem:
    status = next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)
    if status == 500:
        return _internal()
    given = getattr(error, "reasons", ()) or getattr(error, "problems", ())
    reasons = tuple(_reason(item, error.code) for item in given)
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, errors.Overloaded) else {}
    return Problem(status, error.code, error.detail, reasons, headers=headers)


def _describe_framework(error: exceptions.APIException) -> Problem:
    headers: dict[str, str] = {}
    challenge = getattr(error, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(ceil(wait))
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else "malformed_request"
    return Problem(error.status_code, code, str(error.detail), headers=headers)


def _describe_django(error: Exception) -> Problem:
    match error:
        case Http404():
            return Problem(404, "not_found")
        case PermissionDenied():
            return Problem(403, "permission_denied")
        case RequestDataTooBig():
            return Problem(413, "body_too_large")
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(400, "malformed_request")
    return _internal()


def _internal() -> Problem:
    return Problem(500, "internal_error", "Something went wrong on our side; it has been recorded.")


def _reason(given: Any, code: str) -> Reason:  # Any: a text, or a value type with `code` and `detail`
    if isinstance(given, str):
        return Reason(given) if _CODE.fullmatch(given) else Reason(code, given)
    if isinstance(given, Mapping):
        return Reason(str(given.get("code", code)), str(given.get("detail", "")), given.get("pointer"))
    return Reason(
        str(getattr(given, "code", code)),
        str(getattr(given, "detail", "") or getattr(given, "problem", "") or given),
        getattr(given, "pointer", None),
    )


def _reasons_of(details: Any, pointer: str) -> Iterator[Reason]:  # Any: DRF nests dicts and lists freely
    if isinstance(details, Mapping) and isinstance(details.get("message"), str):
        yield Reason(str(details["code"]), str(details["message"]), pointer)
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            at = pointer if name == "non_field_errors" else f"{pointer}/{_escape(str(name))}"
            yield from _reasons_of(inner, at)
    else:
        for inner in details:
            yield from _reasons_of(inner, pointer)


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
