"""API keys: issued here, shown once, revoked here."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.templatetags.console import badge
from identities.acting import acting_person
from identities.models import ApiKey, Application, User
from identities.services import issue_api_key, revoke_api_key

MYSELF = "me"
ISSUE = "identities.add_apikey"


class IssueForm(forms.Form):
    """For whom, what for, and how long."""

    holder = forms.ChoiceField(label="For")
    label = forms.CharField(
        max_length=120, label="What for", help_text="So that others know what stops with it."
    )
    days = forms.IntegerField(min_value=1, max_value=366, initial=90, label="Days until it ends")

    def __init__(self, *args: Any, applications: QuerySet[Application], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(application.pk), f"the application {application.name}") for application in applications]
        holder = cast(forms.ChoiceField, self.fields["holder"])
        holder.choices = [*named, (MYSELF, "myself")]


@admin.register(ApiKey)
class ApiKeyAdmin(GovernedAdmin):
    """The viewer's own keys and those of their teams' applications."""

    add_label = "Issue a key"
    list_display = (
        "label",
        "key_id",
        "user",
        "state_badge",
        moment_column("created_at", "issued"),
        moment_column("expires_at", "ends"),
        moment_column("last_used_at", "last used"),
    )
    list_select_related = ("user",)
    search_fields = ("label", "key_id")
    ordering = ("-created_at",)
    page_template = "identities/key.html"
    actions = ("revoke",)

    @admin.display(description="state")
    def state_badge(self, key: ApiKey) -> SafeString:
        """Say whether the key works."""
        return badge(key.state(timezone.now()))

    def action_state(self, subject: ApiKey) -> str:
        """Offer to revoke what still works."""
        return subject.state(timezone.now())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("user")

    def page_context(self, request: HttpRequest, subject: ApiKey) -> dict[str, Any]:
        """Add the application that holds the key, if it is one's, and the stream that tells of the key."""
        holder = Application.objects.filter(service_account=subject.user_id).first()
        return {
            "state": subject.state(timezone.now()),
            "application": holder,
            "stream": holder.pk if holder else subject.user_id,
        }

    def visible(self, queryset: Any, user: Any) -> QuerySet[ApiKey]:
        """Limit keys to the viewer's own and their applications'."""
        applications = Application.objects.visible_to(user)
        limited: QuerySet[ApiKey] = queryset.filter(Q(user=user) | Q(user__application__in=applications))
        return limited

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form; the service decides for whom."""
        return self.admin_site.has_permission(request)

    def has_revoke_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Everybody may revoke their own; the service decides about others."""
        return self.admin_site.has_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Issue a key and show its text, this once."""
        make_form = partial(
            IssueForm,
            applications=_served_by(acting_person(request)),
            initial={"holder": request.GET.get("holder", MYSELF)},
        )
        context = {"title": "Issue an API key", "button": "Issue", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._issue, request), context)

    def _issue(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        key, plaintext = issue_api_key(
            actor=person,
            user=_holder(person, values["holder"]),
            label=values["label"],
            expires_at=timezone.now() + timedelta(days=values["days"]),
        )
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The key, shown this once",
            "key": key,
            "plaintext": plaintext,
        }
        return TemplateResponse(request, "identities/issued_key.html", context)

    @offered_when("active", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse:
        """Stop keys at once."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda key, _: revoke_api_key(actor=person, key=key),
            Confirmation(
                "Revoke this key? Whatever uses it stops working at once.", "revoked", reason="none"
            ),
        )


def _served_by(person: User) -> QuerySet[Application]:
    """Return the applications that a person may issue keys for; the service asks again."""
    if not person.has_perm(ISSUE):
        return Application.objects.none()
    return Application.objects.visible_to(person).filter(state="active")


def _holder(person: User, chosen: str) -> User:
    if chosen == MYSELF:
        return person
    return (
        Application.objects.visible_to(person)
        .select_related("service_account")
        .get(pk=chosen)
        .service_account
    )


register_destination(
    Destination("API keys", "admin:identities_apikey_changelist", order=91, section="People and access")
)
