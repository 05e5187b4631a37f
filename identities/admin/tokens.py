"""What tokens are signed with, whose are believed, and how authority was passed on."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from agentops.console.templatetags.console import badge
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.admin.holders import choose_holder, holder_choices
from identities.changes import do_or_propose
from identities.clients import stream_of
from identities.models import ChangeProposal, Delegation, SigningKey, TokenIssuer
from identities.oauth.compact import ALGORITHMS
from identities.services import (
    add_issuer,
    disable_issuer,
    revoke_delegation,
    revoke_signing_key,
    rotate_signing_key,
)
from identities.services.issuers import DEFAULT_ALGORITHMS


class NextKeyForm(forms.Form):
    algorithm = forms.ChoiceField(choices=SigningKey.Algorithm.choices)


@admin.register(SigningKey)
class SigningKeyAdmin(GovernedAdmin):
    """The installation's keys; the private halves are sealed and shown nowhere."""

    add_label = "Make the next key"
    list_display = ("kid", "state_badge", "algorithm", moment_column("signs_from", "signs from"))
    ordering = ("-signs_from",)
    page_template = "identities/facts.html"
    actions = ("revoke",)

    @admin.display(description="state")
    def state_badge(self, key: SigningKey) -> SafeString:
        """Say whether the key counts."""
        return badge(self.action_state(key))

    def action_state(self, subject: SigningKey) -> str:
        """Return published, waiting or revoked."""
        if subject.revoked_at is not None:
            return "revoked"
        return "waiting" if subject.signs_from > timezone.now() else "published"

    def page_context(self, request: HttpRequest, subject: SigningKey) -> dict[str, Any]:
        """Add what there is to say of a key."""
        facts = {
            "State": self.action_state(subject),
            "Algorithm": subject.algorithm,
            "Signs from": subject.signs_from,
            "Revoked": subject.revoked_at,
        }
        return {"facts": facts, "stream": subject.pk}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to superusers, who alone may."""
        return acting_person(request).is_superuser

    def has_revoke_permission(self, request: HttpRequest, obj: SigningKey | None = None) -> bool:
        """Offer the action to superusers, who alone may."""
        return acting_person(request).is_superuser

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make the next key."""
        context = {"title": "Make the next key", "button": "Make", "back_url": self.page_url("changelist")}
        return serve_form(self, request, NextKeyForm, partial(self._make, request), context)

    def _make(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        key = rotate_signing_key(actor=acting_person(request), algorithm=values["algorithm"])
        messages.success(
            request, f"The key {key.kid} is published, and signs from {key.signs_from:%H:%M} UTC."
        )
        return HttpResponseRedirect(self.page_url("changelist"))

    @offered_when("published", "waiting", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke")
    def revoke(self, request: HttpRequest, queryset: QuerySet[SigningKey]) -> HttpResponse:
        """Take keys back."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda key, reason: revoke_signing_key(actor=person, key=key, reason=reason),
            Confirmation("Revoke this key? Every token that it signed counts no more.", "revoked"),
        )


class IssuerForm(forms.Form):
    """Whose tokens, when who presents them."""

    client = forms.ChoiceField(label="Presented by")
    issuer = forms.CharField(
        max_length=200, help_text="Exactly as iss has it, such as https://id.example.com"
    )
    audience = forms.CharField(max_length=200, help_text="How the issuer knows the client: its aud.")
    jwks_url = forms.CharField(
        max_length=500, required=False, label="Address of its keys", help_text="Empty: by OpenID discovery."
    )
    algorithms = forms.MultipleChoiceField(
        choices=[(name, name) for name in ALGORITHMS],
        initial=DEFAULT_ALGORITHMS,
        widget=forms.CheckboxSelectMultiple,
    )
    allow_private = forms.BooleanField(
        required=False, label="Its address is in a private network (superusers)"
    )

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["client"]).choices = choices


@admin.register(TokenIssuer)
class TokenIssuerAdmin(GovernedAdmin):
    """The issuers that clients of the viewer's teams may present tokens of."""

    add_label = "Believe an issuer"
    list_display = ("issuer", "state_badge", "client", "audience", "team")
    list_select_related = ("client", "team")
    page_template = "identities/facts.html"
    actions = ("disable",)

    @admin.display(description="state")
    def state_badge(self, issuer: TokenIssuer) -> SafeString:
        """Say whether it is believed."""
        return badge(self.action_state(issuer))

    def action_state(self, subject: TokenIssuer) -> str:
        """Return active or retired."""
        return "active" if subject.disabled_at is None else "retired"

    def page_context(self, request: HttpRequest, subject: TokenIssuer) -> dict[str, Any]:
        """Add what there is to say of an issuer."""
        facts = {
            "State": self.action_state(subject),
            "Presented by": subject.client.username,
            "Audience": subject.audience,
            "Keys": subject.jwks_url or "by discovery",
            "Algorithms": ", ".join(subject.algorithms),
        }
        return {"facts": facts, "stream": subject.pk}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form; the service decides for whom."""
        return self.admin_site.has_permission(request)

    def has_disable_permission(self, request: HttpRequest, obj: TokenIssuer | None = None) -> bool:
        """Offer the action; the service decides."""
        return self.admin_site.has_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Believe an issuer."""
        make_form = partial(IssuerForm, choices=holder_choices(acting_person(request)))
        context = {"title": "Believe an issuer", "button": "Believe", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._add, request), context)

    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = acting_person(request)
        client = choose_holder(person, values.pop("client"))
        row = do_or_propose(actor=person, act=partial(add_issuer, actor=person, client=client, **values))
        if isinstance(row, ChangeProposal):
            return lead_to_proposal(request, row)
        return HttpResponseRedirect(self.page_url("change", row.pk))

    @offered_when("active", danger=True)
    @admin.action(permissions=["disable"], description="Believe no more")
    def disable(self, request: HttpRequest, queryset: QuerySet[TokenIssuer]) -> HttpResponse:
        """Believe issuers no more."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda issuer, _: disable_issuer(actor=person, issuer=issuer),
            Confirmation("Believe this issuer's tokens no more?", "believed no more", reason="none"),
        )


@admin.register(Delegation)
class DelegationAdmin(GovernedAdmin):
    """What the clients of the viewer's teams were given, hop by hop."""

    list_display = (
        "actor", "audience", "state_badge", "proof", "depth",
        moment_column("created_at", "made"), moment_column("expires_at", "ends"),
    )  # fmt: skip
    list_select_related = ("actor",)
    page_template = "identities/facts.html"
    actions = ("revoke",)

    @admin.display(description="state")
    def state_badge(self, delegation: Delegation) -> SafeString:
        """Say whether it counts."""
        return badge(self.action_state(delegation))

    def action_state(self, subject: Delegation) -> str:
        """Return active, expired or revoked."""
        if subject.revoked_at is not None:
            return "revoked"
        return "active" if subject.expires_at > timezone.now() else "expired"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        loaded = super().get_queryset(request)
        return loaded.select_related(
            "actor__agent_identity", "actor__application", "principal", "parent__actor"
        )

    def page_context(self, request: HttpRequest, subject: Delegation) -> dict[str, Any]:
        """Add what there is to say of a hop."""
        facts = {
            "State": self.action_state(subject),
            "Actor": subject.actor.username,
            "For": subject.principal or "the client itself",
            "Known by": subject.proof,
            "May be read by": subject.audience,
            "Scope": subject.scope,
            "Passed on from": subject.parent or "nobody: it begins here",
            "Hop": subject.depth,
            "Ends": subject.expires_at,
            "Receipt": subject.receipt,
        }
        return {"facts": facts, "stream": stream_of(subject.actor)[0]}

    def has_revoke_permission(self, request: HttpRequest, obj: Delegation | None = None) -> bool:
        """Offer the action; the service decides."""
        return self.admin_site.has_permission(request)

    @offered_when("active", "expired", danger=True)
    @admin.action(permissions=["revoke"], description="Revoke with all that came of it")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Delegation]) -> HttpResponse:
        """Take hops back, each with its subtree."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda delegation, _: revoke_delegation(actor=person, delegation=delegation),
            Confirmation("Take this back, with all that came of it?", "taken back", reason="none"),
        )


PEOPLE = "People and access"
register_destination(
    Destination("Delegations", "admin:identities_delegation_changelist", order=94, section=PEOPLE)
)
register_destination(
    Destination("Token issuers", "admin:identities_tokenissuer_changelist", order=96, section=PEOPLE)
)
register_destination(
    Destination("Signing keys", "admin:identities_signingkey_changelist", order=98, section=PEOPLE)
)
register_streams("signing_key", SigningKey.objects.visible_to)
register_streams("token_issuer", TokenIssuer.objects.visible_to)
