"""People's accounts: who may sign in, and with what rights. Every change is a service call."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops.console.actions import Confirmation, ask, offered_when
from agentops.console.columns import moment_column
from agentops.console.enrolment import issue_enrolment_code
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.second_factor import REQUIRED, accept_code
from agentops.console.security_keys import keys_of
from agentops.console.streams import register_streams
from agentops.errors import AgentOpsError
from identities.acting import acting_person
from identities.factors import require_fresh_factor
from identities.models import ProviderAccount, Team, User
from identities.querysets import is_known_person
from identities.services import create_person, link_account, set_password, unlink_account, update_person
from identities.services.sign_ons import Proven
from identities.sso import linking
from identities.sso.configuration import is_offered


class RightsForm(forms.Form):
    """What an account may do."""

    staff = forms.BooleanField(required=False, label="May use the console")
    superuser = forms.BooleanField(
        required=False,
        label="Superuser",
        help_text="May set up everything. Approving calls is given tool by tool.",
    )
    groups = forms.ModelMultipleChoiceField(
        queryset=Group.objects.all(), required=False, widget=forms.CheckboxSelectMultiple
    )


class PersonForm(RightsForm):
    """A new account."""

    username = forms.CharField(max_length=150)
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), label="First password"
    )
    field_order = ("username", "password", "staff", "superuser", "groups")


class PasswordForm(forms.Form):
    """Another way in."""

    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), label="New password"
    )


class ChangeForm(RightsForm):
    """A known account."""

    active = forms.BooleanField(required=False, label="May sign in")
    field_order = ("active", "staff", "superuser", "groups")


@admin.register(User)
class PersonAdmin(GovernedAdmin):
    """People; the service accounts of agents and applications are seen on their own pages."""

    list_display = (
        "username",
        "first_name",
        "last_name",
        "is_active",
        "is_staff",
        "is_superuser",
        moment_column("last_login", "last sign-in"),
    )
    list_title = "People"
    search_fields = ("username", "first_name", "last_name")
    ordering = ("username",)
    page_template = "identities/person.html"
    add_label = "Add a person"
    actions = ("issue_code",)

    def visible(self, queryset: Any, user: Any) -> QuerySet[User]:
        """Limit people to the members of the viewer's teams, and the viewer."""
        limited: QuerySet[User] = people_visible_to(user)
        return limited

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may make accounts."""
        return request.user.is_active and request.user.is_superuser

    def has_code_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Who issues codes can become anybody."""
        return request.user.is_active and request.user.is_superuser

    def get_urls(self) -> list[URLPattern]:
        """Add the forms that change rights, and who one is at the provider."""
        guarded = self.admin_site.admin_view
        return [
            path("<uuid:pk>/rights/", guarded(self.rights_view), name="identities_user_rights"),
            path("<uuid:pk>/password/", guarded(self.password_view), name="identities_user_password"),
            path("<uuid:pk>/unlink/", guarded(self.unlink_view), name="identities_user_unlink"),
            path("link/", guarded(self.link_view), name="identities_user_link"),
            *super().get_urls(),
        ]

    def link_view(self, request: HttpRequest) -> HttpResponse:
        """Say whose account the provider named, and have it be the viewer's own."""
        person = acting_person(request)
        proven = linking.recall(request, person)
        if proven is None:
            messages.warning(request, "That took too long: begin again on your page.")
            return HttpResponseRedirect(self.page_url("change", person.pk))
        context = {
            "title": "Sign on with your company account from now on?",
            "button": "Yes, it is mine",
            "back_url": self.page_url("change", person.pk),
            "proven": proven,
            "roles": sorted(proven.roles),
            "person": person,
        }
        submit = partial(self._link, request, person, proven)
        return serve_form(self, request, forms.Form, submit, context, "identities/link_account.html")

    def _link(self, request: HttpRequest, person: User, proven: Proven, _: dict[str, Any]) -> HttpResponse:
        linked = link_account(actor=person, proven=proven)
        linking.forget(request)
        update_session_auth_hash(request, linked)  # the password has ended, this session need not
        messages.success(request, "From now on you sign on with your company account.")
        return HttpResponseRedirect(self.page_url("change", person.pk))

    def unlink_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Ask whether the provider's account is to be this person's no longer."""
        found = self.get_object(request, str(pk))
        if found is None or not self._may_unlink(request, found):
            return self.refuse_unknown(request)
        context = {
            "title": f"Take back that {found} signs on at the provider?",
            "button": "Take it back",
            "back_url": self.page_url("change", found.pk),
            "lead": "The roles that its groups gave end at once, and so do all sessions and API keys of this account. "
            "A superuser gives it rights and a password anew. Whoever signs on with that company account then is "
            "somebody else here.",
        }
        return serve_form(self, request, forms.Form, partial(self._unlink, request, found), context)

    def _may_unlink(self, request: HttpRequest, person: User) -> bool:
        is_theirs = person.pk == acting_person(request).pk
        linked = ProviderAccount.objects.filter(user=person).exists()
        return linked and (is_theirs or self.has_add_permission(request))

    def _unlink(self, request: HttpRequest, person: User, _: dict[str, Any]) -> HttpResponse:
        unlink_account(actor=acting_person(request), person=person)
        messages.success(request, f"{person} signs on at the provider no longer, and has no way in here yet.")
        return HttpResponseRedirect(self.page_url("change", person.pk))

    def password_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Give an account another way in."""
        found = self.get_object(request, str(pk))
        if found is None or not self.has_add_permission(request):
            return self.refuse_unknown(request)
        context = {
            "title": f"New password of {found}",
            "button": "Set it",
            "back_url": self.page_url("change", found.pk),
            "lead": "All sessions of this account end. The second factor stays.",
        }
        return serve_form(self, request, PasswordForm, partial(self._set_password, request, found), context)

    def _set_password(self, request: HttpRequest, person: User, values: dict[str, Any]) -> HttpResponse:
        set_password(actor=acting_person(request), person=person, password=values["password"])
        messages.success(request, f"{person} has another password.")
        return HttpResponseRedirect(self.page_url("change", person.pk))

    def page_context(self, request: HttpRequest, subject: User) -> dict[str, Any]:
        """Add teams, groups and the second factor."""
        provider = ProviderAccount.objects.filter(user=subject).first()
        return {
            "title": subject.get_full_name() or subject.username,
            "teams": subject.teams.all(),
            "groups": subject.groups.all(),
            "provider": provider,
            "may_link": provider is None and subject.pk == request.user.pk and is_offered(),
            "has_device": TOTPDevice.objects.filter(user=subject, confirmed=True).exists(),
            "keys": keys_of(subject),
            "may_change": self.has_add_permission(request),
            "may_unlink": provider is not None and self._may_unlink(request, subject),
        }

    def action_state(self, subject: User) -> str:
        """Offer actions while the account is open."""
        return "active" if subject.is_active else "closed"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Make an account; its owner needs a one-time code to sign in first."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        context = {"title": "Add a person", "button": "Add", "back_url": self.page_url("changelist")}
        return serve_form(self, request, PersonForm, partial(self._add, request), context)

    def rights_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Change what an account may do."""
        found = self.get_object(request, str(pk))
        if found is None or not self.has_add_permission(request):
            return self.refuse_unknown(request)
        present = {
            "active": found.is_active,
            "staff": found.is_staff,
            "superuser": found.is_superuser,
            "groups": found.groups.all(),
        }
        context = {
            "title": f"Rights of {found}",
            "button": "Save",
            "back_url": self.page_url("change", found.pk),
        }
        make_form = partial(ChangeForm, initial=present)
        return serve_form(self, request, make_form, partial(self._change, request, found), context)

    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        person = create_person(actor=acting_person(request), **values)
        messages.success(request, f"{person} was added. Issue a one-time code, so that they can sign in.")
        return HttpResponseRedirect(self.page_url("change", person.pk))

    def _change(self, request: HttpRequest, person: User, values: dict[str, Any]) -> HttpResponse:
        changed = update_person(actor=acting_person(request), person=person, **values)
        messages.success(
            request, f"Changed: {', '.join(sorted(changed))}." if changed else "Nothing was different."
        )
        return HttpResponseRedirect(self.page_url("change", person.pk))

    @offered_when("active", danger=True)
    @admin.action(permissions=["code"], description="Issue a one-time code")
    def issue_code(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        """Show a code for one sign-in; the person's present second factor stops working."""
        person = queryset.first()
        if person is None or queryset.count() != 1:
            messages.error(request, "Choose one person. Nothing was changed.")
            return None
        asked = "Issue a one-time code? Their present second factor stops working."
        confirmation = Confirmation(asked, "", reason="none")
        if "confirmed" not in request.POST:
            return ask(self, request, [person], confirmation)
        if problem := accept_code(request):
            return ask(self, request, [person], confirmation, problem)
        try:
            require_fresh_factor(acting_person(request))
            code = issue_enrolment_code(actor=acting_person(request), user=person)
        except AgentOpsError as error:
            if error.code == REQUIRED:
                return ask(self, request, [person], confirmation, error.detail)
            messages.error(request, error.detail)
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "The one-time code, shown this once",
            "original": person,
            "code": code,
        }
        return TemplateResponse(request, "identities/issued_code.html", context)


def people_visible_to(viewer: User) -> QuerySet[User]:
    """Return the people of the viewer's teams, and the viewer; a superuser sees all."""
    people = User.objects.filter(kind=User.Kind.PERSON)
    if not is_known_person(viewer):
        return people.none()
    if viewer.is_superuser:
        return people
    shared = Team.members.through.objects.filter(team__members=viewer).values("user_id")
    return people.filter(pk__in=shared) | people.filter(pk=viewer.pk)


register_destination(
    Destination("People", "admin:identities_user_changelist", order=92, section="People and access")
)
register_streams("person", people_visible_to)
