"""The endpoints: POST a form, get JSON that nobody keeps; and the two public documents."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from identities.oauth.clients import Client, authenticate
from identities.oauth.errors import OAuthError
from identities.oauth.grants import grant_token
from identities.oauth.introspection import introspect_token, revoke_token
from identities.oauth.limits import count_address, count_client
from identities.oauth.metadata import describe_gateway, describe_server, issuer
from identities.oauth.parameters import Parameters, read_parameters
from identities.oauth.refusals import record_refusal
from identities.oauth.signing_keys import JWKS_KEPT_S, published_jwks

Serve = Callable[[Client, Parameters], dict[str, Any]]  # Any: JSON

METADATA_KEPT_S = 3_600
_log = logging.getLogger(__name__)


@csrf_exempt  # no cookie counts here
def serve_token(request: HttpRequest) -> HttpResponse:
    """Give tokens to clients."""
    return _answer(request, grant_token)


@csrf_exempt
def serve_introspection(request: HttpRequest) -> HttpResponse:
    """Say whether a token counts."""
    return _answer(request, introspect_token)


@csrf_exempt
def serve_revocation(request: HttpRequest) -> HttpResponse:
    """Take a token back."""
    return _answer(request, revoke_token)


def serve_jwks(request: HttpRequest) -> HttpResponse:
    """Publish the keys that tokens are signed with."""
    return _publish(request, {"keys": published_jwks()}, JWKS_KEPT_S)


def serve_metadata(request: HttpRequest) -> HttpResponse:
    """Say where everything is."""
    return _publish(request, describe_server(), METADATA_KEPT_S)


def serve_gateway_metadata(request: HttpRequest) -> HttpResponse:
    """Say what the gateway asks for, to agents outside."""
    return _publish(request, describe_gateway(), METADATA_KEPT_S)


def _answer(request: HttpRequest, serve: Serve) -> HttpResponse:
    _need_issuer()
    try:
        answer: HttpResponse = JsonResponse(_serve_client(request, serve))
    except OAuthError as refusal:
        answer = _refuse(request, refusal)
    except Exception:  # the boundary: a client is told nothing of what went wrong inside
        _log.exception("a token endpoint failed")
        answer = JsonResponse({"error": "server_error"}, status=500)
    answer["Cache-Control"] = "no-store"
    answer["Pragma"] = "no-cache"
    return answer


def _serve_client(request: HttpRequest, serve: Serve) -> dict[str, Any]:  # Any: JSON
    count_address(request)
    if request.method != "POST":
        raise OAuthError("invalid_request", "method", "Only POST is served here.", status=405)
    parameters = read_parameters(request)
    client = authenticate(request.headers.get("Authorization", ""), parameters)
    try:
        count_client(client.client_id)
        return serve(client, parameters)
    except OAuthError as refusal:
        refusal.account = client.account
        raise


def _refuse(request: HttpRequest, refusal: OAuthError) -> HttpResponse:
    record_refusal(refusal, request)
    told = {"error": refusal.error, "error_description": refusal.description}
    answer = JsonResponse({name: text for name, text in told.items() if text}, status=refusal.status)
    if refusal.status == 401 and "Authorization" in request.headers:
        answer["WWW-Authenticate"] = 'Basic realm="agentops", charset="UTF-8"'
    if refusal.status == 405:
        answer["Allow"] = "POST"
    if refusal.retry_after_s:
        answer["Retry-After"] = str(refusal.retry_after_s)
    return answer


def _publish(request: HttpRequest, document: dict[str, Any], kept_s: int) -> HttpResponse:  # Any: JSON
    _need_issuer()
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    return JsonResponse(document, headers={"Cache-Control": f"public, max-age={kept_s}"})


def _need_issuer() -> None:
    if not issuer():
        raise Http404("PUBLIC_URL is not set: there is no issuer")
