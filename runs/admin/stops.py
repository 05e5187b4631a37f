"""Stops: the form that stops something or exercises it, the receipt, and the kill switches that stand."""

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
from agentops.console.panels import Panel, register_panel
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import AgentIdentity, Application, KillSwitch, User
from identities.policies import may_throw_switch
from identities.services import lift_switch
from runs.models import AgentVersion, Stop
from runs.receipts import write_receipt
from runs.stops import STOPPINGS, stop
from runs.targets import name_targets
from tools.models import Tool

SHOWN = 4

Choices = list[tuple[str, str | list[tuple[str, str]]]]


class StopForm(forms.Form):
    """What is to stop, why, and whether it is only an exercise."""

    what = forms.ChoiceField()
    reason = forms.CharField(max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    drill = forms.BooleanField(
        required=False,
        label="Only a drill",
        help_text="Does everything but the effect, and shows what it would meet.",
    )

    def __init__(self, *args: Any, choices: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        what = self.fields["what"]
        assert isinstance(what, forms.ChoiceField)  # noqa: S101  declared above
        what.choices = choices


@admin.register(Stop)
class StopAdmin(GovernedAdmin):
    """What was stopped, and its receipt."""

    page_template = "runs/stop.html"
    add_label = "Stop something"
    empty_words = "Nothing was ever stopped here, not even as a drill."
    list_display = ("__str__", "stopped_by", moment_column("stopped_at", "when"), "is_drill", "team")
    list_filter = ("scope", "is_drill")
    list_select_related = ("stopped_by", "team")
    actions = None

    def visible(self, queryset: Any, user: Any) -> QuerySet[Stop]:
        """Limit rows to those that a user may see, and name what they are about."""
        return name_targets(super().visible(queryset, user), user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form; the service decides who may stop what."""
        return self.admin_site.has_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Stop something, and show the receipt."""
        choices = list_choices(acting_person(request), request.GET.get("what", ""))
        context = {"title": "Stop something", "button": "Stop", "back_url": self.page_url("changelist")}
        return serve_form(
            self, request, partial(StopForm, choices=choices), partial(self._stop, request), context
        )

    def _stop(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        scope, _, target = values["what"].partition(":")
        made = stop(
            actor=acting_person(request),
            scope=scope,
            target=target,
            reason=values["reason"],
            drill=values["drill"],
        )
        messages.success(request, "That was a drill: nothing was stopped." if made.is_drill else "Stopped.")
        return HttpResponseRedirect(self.page_url("change", made.pk))

    def page_context(self, request: HttpRequest, subject: Stop) -> dict[str, Any]:
        """Add the receipt, as of now."""
        return {"receipt": write_receipt(subject, acting_person(request))}


def list_choices(person: User, asked: str) -> Choices:
    """Return what a person is offered to stop; ``asked`` ("run:…") is what another page's link is about."""
    providers = AgentVersion.objects.values_list("planner", flat=True).distinct().order_by("planner")
    agents = AgentIdentity.objects.visible_to(person).filter(state="active")
    tools = Tool.objects.visible_to(person).filter(state="active")
    applications = Application.objects.visible_to(person).filter(state="active")
    offered: Choices = [
        ("everything:", "Everything"),
        ("Agents", [(f"agent:{agent.pk}", str(agent)) for agent in agents]),
        ("Tools", [(f"tool:{tool.pk}", str(tool)) for tool in tools]),
        ("Applications, for good", [(f"application:{each.pk}", str(each)) for each in applications]),
        ("Model providers", [(f"provider:{name}", name) for name in providers]),
    ]
    scope, _, target = asked.partition(":")
    if scope in STOPPINGS and target:
        offered.insert(0, (asked, f"{Stop.Scope(scope).label.capitalize()} {target}"))
    return offered


@admin.register(KillSwitch)
class KillSwitchAdmin(GovernedAdmin):
    """The switches that were thrown, and who may lift them."""

    empty_words = "No kill switch was ever thrown."
    list_display = ("__str__", state_column(), "thrown_by", moment_column("thrown_at", "thrown"), "lifted_by")
    list_filter = ("scope",)
    list_select_related = ("thrown_by", "lifted_by", "team")
    page_template = "runs/switch.html"
    actions = ("lift",)

    def visible(self, queryset: Any, user: Any) -> QuerySet[KillSwitch]:
        """Limit rows to those that a user may see, and name what they are about."""
        return name_targets(super().visible(queryset, user), user)

    def has_lift_permission(self, request: HttpRequest, obj: KillSwitch | None = None) -> bool:
        """Whether this person may lift the switch, or some switch."""
        if obj is not None and obj.scope == KillSwitch.Scope.CREDENTIAL:
            return False  # a key stays revoked
        return obj is None or may_throw_switch(acting_person(request), obj.team).allowed

    @offered_when("thrown", danger=True)
    @admin.action(permissions=["lift"], description="Lift")
    def lift(self, request: HttpRequest, queryset: QuerySet[KillSwitch]) -> HttpResponse:
        """Let new work begin again."""
        person = acting_person(request)
        asked = Confirmation(
            "Lift this switch? New runs may begin; those that were halted have ended.", "lifted"
        )
        return perform(
            self, request, queryset,
            lambda switch, reason: lift_switch(actor=person, switch=switch, reason=reason), asked,
        )  # fmt: skip


def read_switches(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return what is stopped now; nothing, where nothing is. Any: the dashboard has no subject."""
    person = acting_person(request)
    switches = KillSwitch.objects.visible_to(person).thrown().select_related("thrown_by")
    thrown = name_targets(switches, person)[:SHOWN]
    return {"switches": thrown} if thrown else None


SWITCHES = "admin:identities_killswitch_changelist"
register_panel(Panel("dashboard", "Kill switches", "runs/switches.html", read_switches, 5, SWITCHES, "full"))
register_destination(Destination("Stops", "admin:runs_stop_changelist", order=42, section="Govern"))
register_destination(Destination("Kill switches", SWITCHES, order=43, section="Govern"))
register_streams("stop", Stop.objects.visible_to)
register_streams("switch", KillSwitch.objects.visible_to)
