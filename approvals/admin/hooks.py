"""Where applications are told that a user of theirs is asked: set here, the secret shown once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from agentops.console.actions import Confirmation as Asked
from agentops.console.actions import offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from approvals.confirmations.hooks import (
    PERMISSION,
    URL_LIMIT,
    remove_confirmation_hook,
    set_confirmation_hook,
)
from approvals.models import Confirmation, ConfirmationHook
from identities.acting import acting_person
from identities.models import Application
from identities.policies import may_govern


class HookForm(forms.Form):
    """An application and where it is told."""

    application = forms.ModelChoiceField(queryset=Application.objects.none())
    url = forms.CharField(
        max_length=URL_LIMIT,
        label="Address",
        help_text="It is sent ids only, signed; it begins with https://.",
    )
    allow_private = forms.BooleanField(
        required=False,
        label="It may be in a private network",
        help_text="One that the operator of this installation allows.",
    )


@admin.register(ConfirmationHook)
class ConfirmationHookAdmin(GovernedAdmin):
    """The addresses of the applications of the viewer's teams."""

    list_title = "Where applications are told what their users confirm"
    add_label = "Set an address"
    list_display = (
        "application",
        "url",
        "allow_private",
        moment_column("set_at", "set"),
        "set_by",
        "ended_at",
    )
    list_select_related = ("application", "set_by")
    fields = ("application", "url", "allow_private", "set_at", "set_by", "ended_at")
    actions = ("remove",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to who may change applications."""
        return holds_somewhere(acting_person(request), PERMISSION)

    def has_remove_permission(self, request: HttpRequest, obj: ConfirmationHook | None = None) -> bool:
        """Whether this person may take an address away, or some."""
        person = acting_person(request)
        if obj is None:
            return holds_somewhere(person, PERMISSION)
        return may_govern(person, PERMISSION, obj.application.team).allowed

    def action_state(self, subject: Any) -> str:
        """Return the one state in which an address can be taken away."""
        return "set"

    @offered_when("set", danger=True)
    @admin.action(permissions=["remove"], description="Tell it nothing more")
    def remove(self, request: HttpRequest, queryset: QuerySet[ConfirmationHook]) -> HttpResponse:
        """Take addresses away."""
        person = acting_person(request)
        asked = Asked("Tell this application nothing more? It can still ask.", "removed", reason="none")
        return perform(
            self,
            request,
            queryset,
            lambda hook, _: remove_confirmation_hook(actor=person, application=hook.application),
            asked,
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set an address, and show its secret, this once."""
        person = acting_person(request)
        applications = Application.objects.visible_to(person).filter(state="active")

        def make_form(*data: Any) -> forms.Form:
            form = HookForm(data[0] if data else None)
            field: Any = form.fields["application"]  # Any: generic in the stubs only
            field.queryset = applications
            return form

        context = {
            "title": "Where an application is told",
            "button": "Set",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, lambda values: self._set(request, values), context)

    def _set(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        _, secret = set_confirmation_hook(actor=acting_person(request), **values)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The secret, shown this once",
            "secret": secret,
            "back_url": self.page_url("changelist"),
        }
        return TemplateResponse(request, "approvals/hook_secret.html", context)


register_destination(
    Destination(
        "Confirmation webhooks",
        "admin:approvals_confirmationhook_changelist",
        order=95,
        section="People and access",
    )
)
register_streams("confirmation", Confirmation.objects.visible_to)
