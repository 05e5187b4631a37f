"""Schedules: which agent is given what by the clock, in whose name, when next, and why one rests."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import AgentIdentity
from runs.models import Priority, Schedule
from runs.policies import may_control_schedule, startable_by
from runs.schedules.services import (
    MOST_SPREAD_S,
    Task,
    create_schedule,
    end_schedule,
    may_change,
    pause_schedule,
    resume_schedule,
)
from runs.schedules.timing import explain

CRON_HELP = (
    "Minute, hour, day of the month, month, day of the week: “0 9 * * 1-5” is at nine on working days."
)

NOBODY_TO_START = (
    "There is no agent that you may start in your own name, so there is nothing to schedule. It takes one whose "
    "published version acts for staff, and the right to start it: ask who administers your team's agents."
)


class ScheduleForm(forms.Form):
    """What is to be done, by which agent, and when."""

    agent = forms.ModelChoiceField(queryset=AgentIdentity.objects.none())
    name = forms.CharField(max_length=80)
    message = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), label="What is to be done")
    task = forms.CharField(
        max_length=64,
        required=False,
        label="Type of task",
        help_text="One that the agent’s version declares: by its checks the runs are judged.",
    )
    cron = forms.CharField(max_length=100, label="When", help_text=CRON_HELP)
    timezone = forms.CharField(max_length=64, initial="UTC", label="Time zone")
    catch_up = forms.ChoiceField(
        choices=Schedule.CatchUp, initial=Schedule.CatchUp.LAST, label="Times that were missed"
    )
    overlap = forms.ChoiceField(
        choices=Schedule.Overlap, initial=Schedule.Overlap.SKIP, label="While the last run still goes"
    )
    spread_s = forms.IntegerField(
        min_value=0, max_value=MOST_SPREAD_S, initial=0, label="Put off by up to, in seconds",
        help_text="So that many that are due at the same time do not all begin in the same second.",
    )  # fmt: skip
    pinned = forms.BooleanField(
        required=False, label="Only by the version that is published now; with another one it rests"
    )


@admin.register(Schedule)
class ScheduleAdmin(GovernedAdmin):
    """The schedules of the viewer's teams. Whoever sets one is its owner: what it starts acts in their name."""

    add_label = "Set a schedule"
    empty_words = (
        "No schedule yet: nothing starts by the clock. Whoever may start an agent in their own name can set one here; "
        "applications set theirs through the API."
    )
    next_start = staticmethod(moment_column("starts_at", "next"))
    list_display = ("name", "identity", "when", state_column(), "next_start", "owner")
    list_filter = ("state",)
    list_select_related = ("identity", "owner")
    search_fields = ("name", "identity__slug")
    ordering = ("-id",)
    page_template = "identities/facts.html"
    actions = ("pause", "resume", "end")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to those who may start an agent in their own name."""
        return self.admin_site.has_permission(request) and startable_by(acting_person(request)).exists()

    def has_control_permission(self, request: HttpRequest, obj: Schedule | None = None) -> bool:
        """Whether this person may pause and end the schedule, or some."""
        return obj is None or may_control_schedule(acting_person(request), obj).allowed

    def has_resume_permission(self, request: HttpRequest, obj: Schedule | None = None) -> bool:
        """Whether this person may resume the schedule, or some."""
        return obj is None or may_change(acting_person(request), obj).allowed

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        related = "team", "identity", "owner", "principal", "application", "agent_version", "last_run"
        return super().get_queryset(request).select_related(*related)

    @admin.display(description="when")
    def when(self, schedule: Schedule) -> str:
        """Say the cron expression in words."""
        return f"{explain(schedule.cron)} ({schedule.timezone})"

    def page_context(self, request: HttpRequest, subject: Schedule) -> dict[str, Any]:
        """Add what is done when, in whose name, and how it stands."""
        goes = subject.state == Schedule.State.ACTIVE
        return {
            "facts": {**self._facts(subject), "Next": subject.starts_at if goes else ""},
            "stream": subject.pk,
        }

    def _facts(self, schedule: Schedule) -> dict[str, Any]:  # Any: what a template shows
        version = schedule.agent_version
        return {
            "State": schedule.state,
            "Rests because of": schedule.paused_for.replace("_", " "),
            "Agent": schedule.identity,
            "Version": f"{version.number} only" if version else "whichever is published",
            "What is to be done": schedule.message,
            "Type of task": schedule.task,
            "When": self.when(schedule),
            "Put off by up to": f"{schedule.spread_s} s" if schedule.spread_s else "",
            "Times that were missed": schedule.get_catch_up_display(),
            "While the last run still goes": schedule.get_overlap_display(),
            "On whose behalf": str(schedule.principal),
            "Set by": schedule.owner,
            "Last run": self._link(schedule),
        }

    @staticmethod
    def _link(schedule: Schedule) -> SafeString | str:
        if schedule.last_run is None:
            return ""
        run = schedule.last_run
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:runs_run_change", args=[run.pk]),
            run.state.replace("_", " "),
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Set a schedule in one's own name."""
        if not self.has_add_permission(request):
            messages.warning(request, NOBODY_TO_START)
            return HttpResponseRedirect(self.page_url("changelist"))
        person = acting_person(request)

        def make_form(*data: Any) -> forms.Form:
            form = ScheduleForm(*data)
            cast(Any, form.fields["agent"]).queryset = startable_by(person)  # Any: generic in the stubs
            return form

        def submit(values: dict[str, Any]) -> HttpResponse:
            agent = values.pop("agent")
            task = Task(**values, priority=Priority.NORMAL)
            return HttpResponseRedirect(
                self.page_url("change", create_schedule(actor=person, agent=agent, task=task).pk)
            )

        context = {
            "title": "Set a schedule", "button": "Set it", "back_url": self.page_url("changelist"),
            "lead": "Each time it is as if you started it then: it acts in your name, and needs what you may.",
        }  # fmt: skip
        return serve_form(self, request, make_form, submit, context)

    @offered_when("active")
    @admin.action(permissions=["control"], description="Pause")
    def pause(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse:
        """Let nothing begin by it."""
        person = acting_person(request)
        asked = Confirmation(
            "Let nothing begin by this until its owner resumes it?", "paused", reason="optional"
        )
        return perform(
            self, request, queryset,
            lambda schedule, reason: pause_schedule(actor=person, schedule=schedule, reason=reason), asked,
        )  # fmt: skip

    @offered_when("paused")
    @admin.action(permissions=["resume"], description="Resume")
    def resume(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse:
        """Let it begin again."""
        person = acting_person(request)
        asked = Confirmation("Go on with its next time? What was missed stays so.", "resumed", reason="none")
        return perform(
            self,
            request,
            queryset,
            lambda schedule, _: resume_schedule(actor=person, schedule=schedule),
            asked,
        )

    @offered_when("active", "paused", danger=True)
    @admin.action(permissions=["control"], description="End")
    def end(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse:
        """End it for good."""
        person = acting_person(request)
        asked = Confirmation("End this for good? What has begun goes on.", "ended", reason="optional")
        return perform(
            self, request, queryset,
            lambda schedule, reason: end_schedule(actor=person, schedule=schedule, reason=reason), asked,
        )  # fmt: skip


register_destination(Destination("Schedules", "admin:runs_schedule_changelist", order=25))
register_streams("schedule", Schedule.objects.visible_to)
