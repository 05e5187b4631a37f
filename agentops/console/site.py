"""The governance console: Django's admin behind a second factor, showing governed pages only."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.auth.models import AbstractUser
from django.db.models import Model
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from agentops.api.limits import count_request, read_policy
from agentops.console import enrolment
from agentops.console.governed import GovernedAdmin
from agentops.console.key_views import begin_key, finish_key
from agentops.console.login import ConsoleLoginForm
from agentops.console.navigation import Destination, register_destination, stops_for
from agentops.console.panels import panels_for
from agentops.console.second_factor import (
    accept_code,
    is_fresh,
    is_verified,
    must_enrol,
    note_confirmation,
    second_factor_is_waived,
)
from agentops.console.security_keys import keys_of, offers_keys, relying_party
from agentops.console.sessions import has_ended, note_activity
from agentops.console.sign_on import accept_factor, signed_on_at
from agentops.errors import AgentOpsError
from agentops.strangers import network_of

__all__ = ["ConsoleSite", "second_factor_is_waived"]

if TYPE_CHECKING:
    OTPAdminSite = AdminSite  # django-otp ships no types
else:
    from django_otp.admin import OTPAdminSite

register_destination(Destination("Dashboard", "admin:index", order=0))


LONGEST_PARAMETER = 2_000  # characters of a query string's name or value


class ConsoleSite(OTPAdminSite):
    """An OTPAdminSite whose pages are read-only apart from actions that call services."""

    site_header = "AgentOps"
    site_title = "AgentOps"
    index_title = "Dashboard"
    site_url = None
    enable_nav_sidebar = False
    login_form = ConsoleLoginForm
    login_template = "console/login.html"
    index_template = "console/dashboard.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[ModelAdmin[Any]] | None = None,
        **options: Any,
    ) -> None:
        """Take governed pages only: what libraries register would edit and delete past the services."""
        if admin_class is not None and issubclass(admin_class, GovernedAdmin):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in staff with a second factor while their session lasts; the demo on loopback may go without one."""
        if has_ended(request):
            return False
        if second_factor_is_waived(request):
            return AdminSite.has_permission(self, request)
        return bool(super().has_permission(request))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add the rail, built only where a template shows it."""
        context = super().each_context(request)
        context["at"] = request.path
        context["stops"] = lambda: stops_for(request, request.path) if context["has_permission"] else []
        context["second_factor_waived"] = second_factor_is_waived(request)
        return context

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:  # Any: lazily a list
        """Ask for all rights only where a template lists pages: it takes longer than most pages themselves."""
        return SimpleLazyObject(partial(super().get_app_list, request, app_label))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show the dashboard."""
        panels = {"panels": panels_for("dashboard", request)}
        return super().index(request, {**panels, **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign in, and count the code as given just now."""
        if request.method == "GET" and "anew" not in request.GET and self._waits_for_factor(request):
            return self._ask_for_factor(request, _destination(request, request.GET.get("next", "")))
        # An account is locked for who guesses at it; this is for who tries one password on all of them.
        if (
            request.method == "POST"
            and count_request(read_policy("sign_in"), network_of(request)).is_exceeded
        ):
            return HttpResponse("Too many sign-ins from here. Wait a minute.", "text/plain", status=429)
        response = super().login(request, {**(extra_context or {}), "sign_on": settings.STAFF_SSO_ISSUER})
        if request.method == "POST" and is_verified(request):
            note_confirmation(request)
        return response

    def _waits_for_factor(self, request: HttpRequest) -> bool:
        """Return whether it is known who this is, and a key, or after a sign-on a code, is to say the rest."""
        user = cast(AbstractUser, request.user)
        known = user.is_active and user.is_staff and not (is_verified(request) or has_ended(request))
        if signed_on_at(request):
            return known and not self.has_permission(request)
        return known and offers_keys(request)

    def _ask_for_factor(self, request: HttpRequest, destination: str, problem: str = "") -> HttpResponse:
        asked = {"next": destination, "problem": problem, "has_key": offers_keys(request)}
        context = {"title": "Your second factor", **self.each_context(request), **asked}
        page = "console/factor_sign_in.html" if signed_on_at(request) else "console/key_sign_in.html"
        return TemplateResponse(request, page, context)

    @method_decorator(never_cache)
    def sign_in_factor(self, request: HttpRequest) -> HttpResponse:
        """Take the code of somebody who signed on at the identity provider."""
        if request.method != "POST" or not (signed_on_at(request) and self._waits_for_factor(request)):
            return HttpResponseRedirect(reverse("admin:login"))
        destination = _destination(request, request.POST.get("next", ""))
        person = cast(AbstractUser, request.user)
        if problem := accept_factor(request, person, request.POST.get("code", "").strip()):
            return self._ask_for_factor(request, destination, problem)
        return HttpResponseRedirect(destination)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # Any: a view, as the base has it
        """Send whoever came in with a one-time code to set up a device first."""
        guarded = super().admin_view(view, cacheable)

        def enrolled_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not _is_readable(request):
                return HttpResponseBadRequest("This address holds what no page of the console asks for.")
            if self.has_permission(request):
                note_activity(request)
            here = reverse("admin:second_factor")
            if must_enrol(request) and request.path not in (here, reverse("admin:logout")):
                return HttpResponseRedirect(here)
            answer: HttpResponseBase = guarded(request, *args, **kwargs)
            return answer

        return enrolled_view

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Add the rail, and the page where a person sets up their second factor."""
        own = [
            path("second-factor/", self.admin_view(self.second_factor), name="second_factor"),
            path("sign-in/factor/", self.sign_in_factor, name="sign_in_factor"),
            path("keys/begin/", begin_key, name="key_begin"),
            path("keys/finish/", finish_key, name="key_finish"),
            path("rail/", self.admin_view(self.rail), name="rail"),
        ]
        return [*own, *super().get_urls()]

    def rail(self, request: HttpRequest) -> HttpResponse:
        """Show the rail again, with what waits now; ``?at=`` is the page that it stands beside."""
        at = request.GET.get("at", "")
        return TemplateResponse(request, "console/rail.html", {"stops": stops_for(request, at), "at": at})

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """Show the QR code of a new device and take it into service with its first code."""
        user = cast(AbstractUser, request.user)
        # Whoever finds an open session must not be able to make its second factor their own.
        if not (must_enrol(request) or is_fresh(request)):
            return self._ask_for_present_factor(request)
        context = {**self.each_context(request), "title": "Second factor", "problem": ""}
        if request.method == "POST":
            try:
                return self._change_factor(request, user)
            except AgentOpsError as error:
                context["problem"] = error.detail
        device = enrolment.pending_device(user)
        context |= {"qr_code": enrolment.draw_qr_code(device), "secret": _spelled(device.bin_key)}
        context |= {"keys": keys_of(user), "keys_work_here": relying_party(request) is not None}
        context["next"] = reverse("admin:index") if must_enrol(request) else ""
        return TemplateResponse(request, "console/second_factor.html", context)

    def _ask_for_present_factor(self, request: HttpRequest) -> HttpResponse:
        problem = accept_code(request)
        if request.method == "POST" and is_fresh(request):
            return HttpResponseRedirect(request.path)
        asked = {"stale": True, "code_problem": problem or "A code of the last minute is needed."}
        context = {**self.each_context(request), "title": "Second factor", "has_key": offers_keys(request)}
        return TemplateResponse(request, "console/second_factor.html", {**context, **asked})

    def _change_factor(self, request: HttpRequest, user: AbstractUser) -> HttpResponse:
        if "remove" in request.POST:
            enrolment.remove_key(user, request.POST["remove"])
            return HttpResponseRedirect(request.path)
        enrolment.confirm_device(request, user, request.POST.get("code", ""))
        return HttpResponseRedirect(reverse("admin:index"))


def _destination(request: HttpRequest, asked: str) -> str:
    is_ours = url_has_allowed_host_and_scheme(asked, {request.get_host()}, request.is_secure())
    return asked if is_ours else reverse("admin:index")


def _is_readable(request: HttpRequest) -> bool:
    # PostgreSQL takes no NUL, and Python turns no number of more than 4,300 digits into an integer.
    values = [value for _, listed in request.GET.lists() for value in listed]
    return all("\0" not in text and len(text) <= LONGEST_PARAMETER for text in (*request.GET, *values))


def _spelled(key: bytes) -> str:
    """Return a secret in base32, in groups that a person can type."""
    text = b32encode(key).decode().rstrip("=")
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
