"""What was told to whom, and what never arrived; and where somebody says what they want to hear themselves."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from approvals.models import MailPreference, NoticeDelivery
from approvals.notices.channels import send_again
from approvals.notices.formats import compose
from approvals.notices.kinds import list_kinds
from approvals.notices.mail import set_mail
from approvals.notices.outbox import can_mail
from identities.acting import acting_person


@admin.register(NoticeDelivery)
class NoticeDeliveryAdmin(GovernedAdmin):
    """Deliveries to channels of the viewer's teams, and to themselves."""

    list_display = (
        "what",
        state_column(),
        "last_result",
        "attempts",
        moment_column("created_at", "written"),
        moment_column("due_at", "next attempt"),
        moment_column("ended_at", "ended"),
    )
    list_filter = ("state",)
    list_select_related = ("notice", "channel", "person")
    list_title = "Notices sent"
    linked_by = ("channel",)
    page_template = "identities/facts.html"
    actions = ("again",)

    @admin.display(description="notice")
    def what(self, delivery: NoticeDelivery) -> str:
        """Say what to whom."""
        return str(delivery)

    def has_again_permission(self, request: HttpRequest, obj: NoticeDelivery | None = None) -> bool:
        """Offer it to who sees the delivery; the service decides."""
        return self.admin_site.has_permission(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("notice", "channel", "person")

    def page_context(self, request: HttpRequest, subject: NoticeDelivery) -> dict[str, Any]:
        """Say it in words."""
        message = compose(subject.notice, subject.created_at.isoformat())
        facts = {
            "State": subject.state,
            "To": subject.channel or subject.person,
            "Says": message.sentence,
            "Attempts": subject.attempts,
            "The last one": subject.last_result,
            "Written": subject.created_at,
            "Next attempt": subject.due_at if subject.state == NoticeDelivery.State.WAITING else None,
            "Ended": subject.ended_at,
        }
        return {"facts": facts, "stream": subject.channel_id or subject.person_id}

    @offered_when("dead")
    @admin.action(permissions=["again"], description="Send again")
    def again(self, request: HttpRequest, queryset: QuerySet[NoticeDelivery]) -> HttpResponse:
        """Try again what was given up."""
        person = acting_person(request)
        asked = Confirmation(
            "Send this again? It keeps the id that it had.", "will be sent again", reason="none"
        )
        return perform(self, request, queryset, lambda row, _: send_again(actor=person, delivery=row), asked)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page: a delivery has no stream of its own."""
        return HttpResponseRedirect(self.page_url("change", object_id))


class MailForm(forms.Form):
    """Where, and of what."""

    address = forms.EmailField(required=False, label="Your e-mail address")
    kinds = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, required=False, label="Write to me when",
        help_text="Nothing chosen: you get no e-mail, and the address is forgotten.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(kind.name, kind.label) for kind in list_kinds() if kind.by_mail]
        self.fields["kinds"].choices = choices  # type: ignore[attr-defined]  # a field of choices


@admin.register(MailPreference)
class MailPreferenceAdmin(GovernedAdmin):
    """One's own e-mail: a form in place of a list of one row."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say of what one wants to be told."""
        person = acting_person(request)
        present = MailPreference.objects.visible_to(person).first()
        initial = (
            {"address": present.address, "kinds": present.kinds} if present else {"address": person.email}
        )
        lead = (
            "You are told of what you can decide, or have had to do with; while you are away, your deputy is."
        )
        context = {
            "title": "E-mail to me",
            "button": "Save",
            "lead": lead
            if can_mail()
            else "This installation sends no e-mail yet: its operator has to name a sender.",
        }
        return serve_form(
            self, request, partial(MailForm, initial=initial), partial(self._save, request), context
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Lead to the form."""
        return HttpResponseRedirect(self.page_url("changelist"))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the form, too."""
        return HttpResponseRedirect(self.page_url("changelist"))

    def _save(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        kept = set_mail(actor=acting_person(request), address=values["address"], kinds=values["kinds"])
        messages.success(
            request, f"You are told at {kept.address}." if kept else "You get no e-mail any more."
        )
        return HttpResponseRedirect(self.page_url("changelist"))


register_destination(
    Destination("Notices sent", "admin:approvals_noticedelivery_changelist", order=69, section="Govern")
)
register_destination(Destination("E-mail to me", "admin:approvals_mailpreference_changelist", order=16))
