"""Channels: where teams and applications are told. The address is written once and never shown."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from approvals.models import NoticeChannel
from approvals.notices import channels
from approvals.notices.channels import ADD, CHANGE, LONGEST_NAME, LONGEST_URL, Place
from approvals.notices.kinds import list_kinds
from identities.acting import acting_person
from identities.models import Application, Team, User
from identities.policies import may_govern

# Not shown again when something else at the form is wrong.
UNSEEN = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off"})


class ChannelForm(forms.Form):
    """Where, and of what."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    application = forms.ModelChoiceField(
        queryset=Application.objects.none(), required=False, empty_label="the team, of all that is the team's",
        label="For", help_text="An application is told by signed webhook, of its own runs only.",
    )  # fmt: skip
    name = forms.CharField(max_length=LONGEST_NAME)
    kind = forms.ChoiceField(choices=NoticeChannel.Kind.choices)
    url = forms.CharField(
        widget=UNSEEN, max_length=LONGEST_URL, label="Address",
        help_text="https. Whoever knows it can write there, so it is kept sealed and never shown.",
    )  # fmt: skip
    kinds = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label="Tell of")
    allow_private = forms.BooleanField(
        required=False, label="It is in our own network", help_text="Which the operator has to allow, too."
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        teams = Team.objects.visible_to(person)
        fields = cast(dict[str, Any], self.fields)  # Any: generic in the stubs only
        fields["team"].queryset = teams
        fields["application"].queryset = Application.objects.filter(team__in=teams, state="active")
        fields["kinds"].choices = [(kind.name, kind.label) for kind in list_kinds()]


@admin.register(NoticeChannel)
@method_decorator(sensitive_post_parameters("url"), name="add_view")
class NoticeChannelAdmin(GovernedAdmin):
    """The channels of the viewer's teams."""

    add_label = "Add a channel"
    list_display = (
        "name",
        state_column(),
        "disabled_because",
        "team",
        "application",
        "kind",
        "host",
        "failures",
        moment_column("failing_since", "failing since"),
    )
    list_filter = ("state", "kind")
    list_select_related = ("team", "application")
    list_title = "Channels for notices"
    empty_words = "No channel: nobody is told outside the console, but by e-mail."
    search_fields = ("name", "host")
    page_template = "approvals/channel.html"
    actions = ("try_out", "enable", "disable", "remove")

    def get_urls(self) -> list[URLPattern]:
        """Add the form that gives another secret."""
        view = self.admin_site.admin_view(self.rotate_view)
        return [path("<uuid:pk>/rotate/", view, name="approvals_noticechannel_rotate"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names, and leave what is sealed where it is."""
        rows = super().get_queryset(request).select_related("team", "application", "created_by")
        return rows.defer(*NoticeChannel.sealed_fields)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to whoever may add some; the service decides for which team."""
        return holds_somewhere(acting_person(request), ADD)

    def has_operate_permission(self, request: HttpRequest, obj: NoticeChannel | None = None) -> bool:
        """Whether this person may change this channel, or some."""
        person = acting_person(request)
        return (
            holds_somewhere(person, CHANGE) if obj is None else may_govern(person, CHANGE, obj.team).allowed
        )

    def page_context(self, request: HttpRequest, subject: NoticeChannel) -> dict[str, Any]:
        """Say it in words, with the way to its deliveries."""
        facts = {
            "State": subject.state,
            "Stopped because": subject.disabled_because,
            "Team": subject.team,
            "For": subject.application or "the team",
            "Kind": subject.get_kind_display(),
            "Host": subject.host,
            "Tells of": ", ".join(subject.kinds),
            "Failures since it last answered": subject.failures,
            "Failing since": subject.failing_since,
            "The former secret signs until": subject.former_until,
            "Added by": subject.created_by,
        }
        is_signed = subject.kind == NoticeChannel.Kind.WEBHOOK
        may_rotate = is_signed and self.has_operate_permission(request, subject)
        rotate_url = self.page_url("rotate", subject.pk) if may_rotate else ""
        return {"facts": facts, "stream": subject.pk, "rotate_url": rotate_url}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add a channel; a signed one's secret is shown, this once."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        make_form = partial(ChannelForm, person=acting_person(request))
        context = {
            "title": "Add a channel",
            "button": "Add",
            "lead": "What is told there holds no arguments, no names of people and nothing secret; the link in it "
            "leads to the sign-in here and decides nothing.",
            "back_url": self.page_url("changelist"),
        }
        return serve_form(self, request, make_form, partial(self._add, request), context)

    @sensitive_variables("values", "place", "secret")
    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        team = values.pop("team")
        place = Place(**values)
        made, secret = channels.create_channel(actor=acting_person(request), team=team, place=place)
        if secret:
            return self._show_secret(request, made, secret)
        messages.success(request, f"The channel {made} was added. Try it.")
        return HttpResponseRedirect(self.page_url("change", made.pk))

    def rotate_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Give a webhook another secret."""
        found = self.get_object(request, str(pk))
        if found is None or not self.has_operate_permission(request, found):
            return self.refuse_unknown(request)
        context = {
            "title": f"Another secret for {found}",
            "button": "Make another secret",
            "lead": "For a day both sign, so that the receiver can be changed in between.",
            "back_url": self.page_url("change", found.pk),
        }
        return serve_form(self, request, forms.Form, partial(self._rotate, request, found), context)

    @sensitive_variables("secret")
    def _rotate(self, request: HttpRequest, found: NoticeChannel, _values: dict[str, Any]) -> HttpResponse:
        changed, secret = channels.rotate_channel(actor=acting_person(request), channel=found)
        return self._show_secret(request, changed, secret)

    @sensitive_variables("secret", "context")
    def _show_secret(self, request: HttpRequest, channel: NoticeChannel, secret: str) -> HttpResponse:
        shown = {
            "opts": self.opts,
            "title": "The secret, shown this once",
            "channel": channel,
            "secret": secret,
        }
        context = {**self.admin_site.each_context(request), **shown}
        return TemplateResponse(request, "approvals/channel_secret.html", context)

    @offered_when("active")
    @admin.action(permissions=["operate"], description="Send a test")
    def try_out(self, request: HttpRequest, queryset: QuerySet[NoticeChannel]) -> HttpResponse:
        """Send a test message."""
        return self._perform(
            request, queryset, "try_channel", "Send a test message there?", "will get a test"
        )

    @offered_when("disabled")
    @admin.action(permissions=["operate"], description="Enable")
    def enable(self, request: HttpRequest, queryset: QuerySet[NoticeChannel]) -> HttpResponse:
        """Have stopped channels told again."""
        question = "Tell it again, of what comes from now on? What was given up can be sent again one by one."
        return self._perform(request, queryset, "enable_channel", question, "enabled")

    @offered_when("active", danger=True)
    @admin.action(permissions=["operate"], description="Stop")
    def disable(self, request: HttpRequest, queryset: QuerySet[NoticeChannel]) -> HttpResponse:
        """Stop channels."""
        question = "Tell it nothing any more? What waits for it is given up."
        return self._perform(request, queryset, "disable_channel", question, "stopped")

    @offered_when("active", "disabled", danger=True)
    @admin.action(permissions=["operate"], description="Remove for good")
    def remove(self, request: HttpRequest, queryset: QuerySet[NoticeChannel]) -> HttpResponse:
        """Take channels away."""
        question = "Remove it for good? Its address and its secret are gone then."
        return self._perform(request, queryset, "remove_channel", question, "removed")

    def _perform(
        self, request: HttpRequest, queryset: QuerySet[NoticeChannel], verb: str, question: str, done: str
    ) -> HttpResponse:
        act, person = getattr(channels, verb), acting_person(request)
        asked = Confirmation(question, done, reason="none")
        return perform(self, request, queryset, lambda channel, _: act(actor=person, channel=channel), asked)


register_destination(
    Destination("Channels", "admin:approvals_noticechannel_changelist", order=68, section="Govern")
)
register_streams("channel", NoticeChannel.objects.visible_to)
