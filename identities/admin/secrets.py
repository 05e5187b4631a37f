"""Secrets: a value can be set and replaced here, and is never shown, not even its length."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import Secret, Team
from identities.policies import may_govern
from identities.services import create_secret, replace_secret, retire_secret
from identities.services.secrets import ADD, CHANGE, LONGEST_VALUE

MOST_LEASES = 20
# Not shown again when something else at the form is wrong.
UNSEEN = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"})


class ValueForm(forms.Form):
    """A value, which is seen by nobody from here on."""

    value = forms.CharField(widget=UNSEEN, strip=False, max_length=LONGEST_VALUE, label="Value")
    expires_at = forms.DateTimeField(
        required=False, label="Ends", help_text="When the value stops working at the target, if it does."
    )


class SecretForm(ValueForm):
    """A new secret."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    slug = forms.SlugField(max_length=64, help_text="What a tool's configuration names as its credential.")
    purpose = forms.CharField(widget=forms.Textarea(attrs={"rows": 2}))
    provider = forms.ChoiceField(choices=Secret.Provider.choices)
    settings = forms.JSONField(
        initial=dict, required=False, help_text="Where it comes from and where it goes. Nothing secret."
    )
    field_order = ("team", "slug", "purpose", "provider", "settings", "value", "expires_at")

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]  # a field of models
        self.fields["value"].required = False
        self.fields["value"].help_text = "May be given later."

    def clean_settings(self) -> dict[str, Any]:
        """Take an object only."""
        settings = self.cleaned_data["settings"] or {}
        if not isinstance(settings, dict):
            raise forms.ValidationError("Write an object, such as {}.")
        return settings


@admin.register(Secret)
@method_decorator(sensitive_post_parameters("value"), name="add_view")
@method_decorator(sensitive_post_parameters("value"), name="replace_view")
class SecretAdmin(GovernedAdmin):
    """The secrets of the viewer's teams."""

    add_label = "Add a secret"
    page_template = "identities/secret.html"
    list_display = (
        "slug",
        state_column(),
        "team",
        "provider",
        "version",
        moment_column("rotated_at", "value set"),
        moment_column("expires_at", "ends"),
        moment_column("last_used_at", "last used"),
    )
    list_filter = ("state", "provider", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team",)
    search_fields = ("slug", "purpose")
    actions = ("retire",)

    def get_urls(self) -> list[URLPattern]:
        """Add the form that replaces the value."""
        view = self.admin_site.admin_view(self.replace_view)
        return [path("<uuid:pk>/replace/", view, name="identities_secret_replace"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names, and leave the value where it is."""
        return super().get_queryset(request).select_related("team").defer("sealed_value")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to whoever may add some; the service decides for which team."""
        return holds_somewhere(acting_person(request), ADD)

    def has_retire_permission(self, request: HttpRequest, obj: Secret | None = None) -> bool:
        """Whether this person may retire the secret, or some secret."""
        person = acting_person(request)
        return holds_somewhere(person, CHANGE) if obj is None else _may_change(request, obj)

    def page_context(self, request: HttpRequest, subject: Secret) -> dict[str, Any]:
        """Add the settings, and the calls that had it last."""
        leases = subject.leases.select_related("identity").defer("sealed_handle")[:MOST_LEASES]
        is_over = subject.expires_at is not None and subject.expires_at <= timezone.now()
        return {"leases": leases, "is_over": is_over, "may_change": _may_change(request, subject)}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Declare a secret, with its value or without."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        make_form = partial(SecretForm, teams=Team.objects.visible_to(acting_person(request)))
        context = {"title": "Add a secret", "button": "Add", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._add, request), context)

    def replace_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Put another value in place of the present one."""
        found = self.get_object(request, str(pk))
        if found is None or not _may_change(request, found):
            return self.refuse_unknown(request)
        context = {
            "title": f"Another value for {found}",
            "button": "Replace",
            "lead": "The next call gets it. Nobody can read it here again.",
            "back_url": self.page_url("change", found.pk),
        }
        return serve_form(self, request, ValueForm, partial(self._replace, request, found), context)

    @offered_when("active", danger=True)
    @admin.action(permissions=["retire"], description="Retire for good")
    def retire(self, request: HttpRequest, queryset: QuerySet[Secret]) -> HttpResponse:
        """Take secrets out of use; calls that need them are refused at once."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda secret, reason: retire_secret(actor=person, secret=secret, reason=reason),
            Confirmation("Retire this secret for good? Tools that need it stop working at once.", "retired"),
        )

    @sensitive_variables("values")
    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        secret = create_secret(actor=acting_person(request), **values)
        messages.success(request, f"The secret {secret} was added.")
        return HttpResponseRedirect(self.page_url("change", secret.pk))

    @sensitive_variables("values")
    def _replace(self, request: HttpRequest, secret: Secret, values: dict[str, Any]) -> HttpResponse:
        replaced = replace_secret(actor=acting_person(request), secret=secret, **values)
        messages.success(request, f"{replaced} has another value now (version {replaced.version}).")
        return HttpResponseRedirect(self.page_url("change", secret.pk))


def _may_change(request: HttpRequest, secret: Secret) -> bool:
    return may_govern(acting_person(request), CHANGE, secret.team, secret).allowed


register_destination(
    Destination("Secrets", "admin:identities_secret_changelist", order=91, section="People and access")
)
register_streams("secret", Secret.objects.visible_to)
