"""The two addresses of a sign-on: from here to the identity provider, and back with its answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from agentops.api.limits import count_request, read_policy
from agentops.console.sign_on import begin_signed_on, is_locked
from agentops.errors import AgentOpsError
from agentops.strangers import network_of
from identities.api.authentication import is_let_in
from identities.models import User
from identities.oauth.claims import text_of
from identities.oauth.compact import Claims, TokenRefused
from identities.services.sign_ons import Proven, known_person, sign_on
from identities.signins import record_refused_sign_on
from identities.sso import ceremony, linking
from identities.sso.configuration import Configuration, find_faults, is_offered, read_configuration
from identities.sso.id_tokens import groups_of, read_id_token
from identities.sso.provider import find_provider, redeem_code
from identities.sso.refused import SignOnRefused

_log = logging.getLogger(__name__)


@never_cache
@require_GET
def begin_sign_on(request: HttpRequest) -> HttpResponse:
    """Send the browser to the identity provider."""
    return _answer(request, _begin)


@never_cache
@require_GET
def finish_sign_on(request: HttpRequest) -> HttpResponse:
    """Take the provider's answer: whom it names is known from here on, and asked for their second factor."""
    return _answer(request, _finish)


def _answer(request: HttpRequest, act: Callable[[HttpRequest, Configuration], HttpResponse]) -> HttpResponse:
    try:
        _count(request)
        return act(request, _configuration())
    except SignOnRefused as refusal:
        status = 429 if refusal.reason == "rate_limit" else 403
        return render(request, "identities/sign_on_refused.html", {"words": refusal.words}, status=status)


def _count(request: HttpRequest) -> None:
    if count_request(read_policy("sign_on"), network_of(request)).is_exceeded:
        raise SignOnRefused("rate_limit")


def _configuration() -> Configuration:
    found = read_configuration()
    if found is None:
        for fault in find_faults():
            _log.error("%s: %s. %s.", fault.setting, fault.problem, fault.remedy)
        raise SignOnRefused("misconfigured" if is_offered() else "not_offered")
    return found


def _begin(request: HttpRequest, configuration: Configuration) -> HttpResponse:
    provider = find_provider(configuration.issuer)
    links = str(_signed_in(request).pk) if "link" in request.GET else ""
    begun = ceremony.begin(request, _destination(request), links)
    asked = {
        "response_type": "code",
        "client_id": configuration.client_id,
        "redirect_uri": _callback(),
        "scope": configuration.scope,
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": begun.challenge,
        "code_challenge_method": "S256",
    }
    mark = "&" if "?" in provider.authorization_endpoint else "?"
    return HttpResponseRedirect(f"{provider.authorization_endpoint}{mark}{urlencode(asked)}")


def _destination(request: HttpRequest) -> str:
    asked = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, request.is_secure())
    return asked if is_ours and len(asked) <= 2_000 else reverse("admin:index")


def _callback() -> str:
    # Not from the request's Host, which whoever sends it writes.
    return f"{settings.PUBLIC_URL}{reverse('sign-on-callback')}"


def _finish(request: HttpRequest, configuration: Configuration) -> HttpResponse:
    person: User | None = None
    try:
        begun = ceremony.end(request)
        if begun.links:
            return _ask_to_link(request, configuration, begun)
        claims = _ask_provider(request, configuration, begun)
        person = known_person(configuration.issuer, text_of(claims, "sub", 255))
        if person is not None and is_locked(request, person.username):
            raise SignOnRefused("locked")
        signed_on = sign_on(_proven(configuration, claims))
    except (SignOnRefused, TokenRefused) as refusal:
        raise _refuse(request, refusal.reason, person) from None
    except AgentOpsError as error:
        raise _refuse(request, error.code, person) from None
    begin_signed_on(request, signed_on, configuration.issuer)
    return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': begun.next})}")


def _ask_to_link(
    request: HttpRequest, configuration: Configuration, begun: ceremony.Ceremony
) -> HttpResponse:
    """Lead to the page that says whose account the provider named; nobody is signed in by it."""
    person = _signed_in(request)
    if str(person.pk) != begun.links:
        raise SignOnRefused("state")
    linking.keep(request, person, _proven(configuration, _ask_provider(request, configuration, begun)))
    return HttpResponseRedirect(reverse("admin:identities_user_link"))


def _signed_in(request: HttpRequest) -> User:
    if not is_let_in(request.user, request):
        raise SignOnRefused("not_signed_in")
    return request.user


def _ask_provider(request: HttpRequest, configuration: Configuration, begun: ceremony.Ceremony) -> Claims:
    provider = find_provider(configuration.issuer)
    code = ceremony.read_code(request.GET, configuration, provider)
    form = {"code": code, "redirect_uri": _callback(), "code_verifier": begun.verifier}
    return read_id_token(configuration, provider, redeem_code(configuration, provider, form), begun.nonce)


def _proven(configuration: Configuration, claims: Claims) -> Proven:
    groups = groups_of(claims, configuration.groups_claim)
    name = claims.get("preferred_username")
    return Proven(
        issuer=configuration.issuer,
        subject=text_of(claims, "sub", 255),
        name=name if isinstance(name, str) else "",
        roles=configuration.roles_of(groups),
        teams=configuration.teams_of(groups),
        governed_teams=configuration.governed_teams,
    )


def _refuse(request: HttpRequest, reason: str, person: User | None) -> SignOnRefused:
    """Record the refusal, and return it."""
    record_refused_sign_on(request, reason, person)
    return SignOnRefused(reason)
