"""Key sets of agents and applications: issued and followed by the next generation here, secrets shown once."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.templatetags.console import badge
from agentops.errors import ValidationFailed
from agentops.strict_json import MalformedJSON, parse_json
from identities.acting import acting_person
from identities.admin.holders import choose_holder, holder_choices
from identities.clients import stream_of
from identities.models import Credential, User
from identities.services import issue_credential, revoke_credential, rotate_credential
from identities.services.credentials import Material, client_key, has_key_set, new_client_secret


class KeySetForm(forms.Form):
    """For whom, by what, and how long."""

    holder = forms.ChoiceField(
        label="For", help_text="A key set that is there already gets its next generation."
    )
    public_key = forms.CharField(
        label="Public key (JWK)",
        required=False,
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="The client's own, to prove itself by private_key_jwt. Empty: a secret is made.",
    )
    days = forms.IntegerField(min_value=1, max_value=366, initial=90, label="Days until it ends")

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["holder"]).choices = choices


@admin.register(Credential)
class CredentialAdmin(GovernedAdmin):
    """The key sets of the clients of the viewer's teams."""

    add_label = "Issue a key set"
    list_title = "Key sets"
    list_display = (
        "owner", "generation", "state_badge", "method", "key_id",
        moment_column("created_at", "issued"), moment_column("expires_at", "ends"),
    )  # fmt: skip
    list_select_related = ("owner", "owner__agent_identity", "owner__application")
    search_fields = ("owner__username", "key_id")
    ordering = ("owner__username", "-generation")
    page_template = "identities/facts.html"
    actions = ("revoke",)

    @admin.display(description="state")
    def state_badge(self, credential: Credential) -> SafeString:
        """Say whether this generation works."""
        return badge(credential.state(timezone.now()))

    def action_state(self, subject: Credential) -> str:
        """Offer to revoke what still works."""
        return subject.state(timezone.now())

    def page_context(self, request: HttpRequest, subject: Credential) -> dict[str, Any]:
        """Add what there is to say of a generation."""
        facts = {
            "Of": subject.owner.username,
            "State": subject.state(timezone.now()),
            "Method": subject.method,
            "Key": subject.key_id,
            "Issued": subject.created_at,
            "First used": subject.first_used_at,
            "Ends": subject.expires_at,
            "Came back after its end": subject.misused_at,
        }
        return {"facts": facts, "stream": stream_of(subject.owner)[0]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form; the service decides for whom."""
        return self.admin_site.has_permission(request)

    def has_revoke_permission(self, request: HttpRequest, obj: Credential | None = None) -> bool:
        """Offer the action; the service decides."""
        return self.admin_site.has_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Issue a key set or its next generation, and show a secret, this once."""
        make_form = partial(KeySetForm, choices=holder_choices(acting_person(request)))
        context = {"title": "Issue a key set", "button": "Issue", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._issue, request), context)

    def _issue(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        owner, material = choose_holder(person, values["holder"]), _read_material(values["public_key"])
        issue = rotate_credential if has_key_set(owner) else issue_credential
        end = timezone.now() + timedelta(days=values["days"])
        credential = issue(actor=person, owner=owner, material=material, expires_at=end)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The key set",
            "credential": credential,
            "plaintext": material.plaintext,
        }
        return TemplateResponse(request, "identities/issued_secret.html", context)

    @offered_when("current", "replaced", "old", "expired", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Credential]) -> HttpResponse:
        """Stop generations at once."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda credential, _: revoke_credential(actor=person, credential=credential),
            Confirmation(
                "Revoke this generation? Whoever uses it gets no more tokens.", "revoked", reason="none"
            ),
        )


def _read_material(public_key: str) -> Material:
    if not public_key.strip():
        return new_client_secret()
    try:
        jwk = parse_json(public_key.encode())
    except MalformedJSON as error:
        raise ValidationFailed("unusable_key", f"the key is not JSON: {error}") from error
    if not isinstance(jwk, dict):
        raise ValidationFailed("unusable_key", "a key is a JSON object")
    return client_key(jwk)


def load_locks(request: HttpRequest, _: Any) -> dict[str, Any] | None:  # Any: the dashboard has no subject
    """Return the identities that an old generation has locked, None where there are none."""
    locking = Credential.objects.visible_to(acting_person(request)).locking()
    found = list(
        locking.select_related("owner__agent_identity", "owner__application").order_by("misused_at")[:20]
    )
    return {"locks": found} if found else None


def load_key_sets(request: HttpRequest, agent: Any) -> dict[str, Any]:  # Any: an agent or an application
    """Return the generations of a client's key set, and which one locks it."""
    account: User = agent.service_account
    locking = Exists(Credential.objects.locking().filter(pk=OuterRef("pk")))
    rows = account.credentials.annotate(is_locking=locking).order_by("-is_locking", "-generation")
    held: list[Any] = sorted(rows[:10], key=lambda credential: -credential.generation)  # Any: annotated
    now = timezone.now()
    return {
        "generations": [(credential, credential.state(now)) for credential in held],
        "lock": next((credential for credential in held if credential.is_locking), None),
    }


register_panel(
    Panel("dashboard", "Locked for a stolen key", "identities/locks.html", load_locks, order=5, size="full")
)
for place in ("identities.agentidentity", "identities.application"):
    register_panel(Panel(place, "Key set", "identities/key_sets.html", load_key_sets, order=20))
register_destination(
    Destination("Key sets", "admin:identities_credential_changelist", order=92, section="People and access")
)
