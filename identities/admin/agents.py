"""Agent identities: who and why, owner, state, and the switches that stop them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import BooleanField, ExpressionWrapper, Max, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from agentops.look_once import look_once
from identities.acting import acting_person
from identities.admin.agent_forms import AgentForm, RecertifyForm
from identities.admin.changes import lead_to_proposal, or_propose
from identities.changes import do_or_propose
from identities.changes.activation import OPERATE
from identities.changes.ownership import CHANGE
from identities.models import AgentIdentity, ApiKey, ChangeProposal
from identities.policies import may_govern, may_recertify, may_stop_agent
from identities.services import activate_agent, recertify_agent, revoke_agent, suspend_agent, update_agent

EDIT, RECERTIFY = "identities_agentidentity_edit", "identities_agentidentity_recertify"
SOON = timedelta(days=14)
SHOWN = 5


@admin.register(AgentIdentity)
class AgentIdentityAdmin(GovernedAdmin):
    """The agents of the viewer's teams."""

    page_template = "identities/agent.html"
    list_display = (
        "name",
        state_column(),
        "purpose",
        "owner",
        "team",
        moment_column("recertify_by", "look again"),
    )
    list_filter = ("state", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "owner")
    search_fields = ("name", "slug", "purpose")
    actions = ("activate", "suspend", "revoke")

    def has_stop_permission(self, request: HttpRequest, obj: AgentIdentity | None = None) -> bool:
        """Whether this person may stop the agent, or some agent."""
        person = acting_person(request)
        if obj is not None:
            return may_stop_agent(person, obj).allowed
        owns_one = look_once(("owns an agent", person.pk), person.owned_agents.exists)
        return owns_one or holds_somewhere(person, OPERATE)

    def has_operate_permission(self, request: HttpRequest, obj: AgentIdentity | None = None) -> bool:
        """Whether this person may let the agent act, or some agent."""
        person = acting_person(request)
        if obj is not None:
            return may_govern(person, OPERATE, obj.team, obj).allowed
        return holds_somewhere(person, OPERATE)

    @offered_when("draft", "suspended")
    @admin.action(permissions=["operate"], description="Activate")
    def activate(self, request: HttpRequest, queryset: QuerySet[AgentIdentity]) -> HttpResponse:
        """Let agents act."""
        asked = Confirmation("Let this agent act?", "may act now", reason="none")
        person = acting_person(request)
        act = or_propose(request, lambda agent, _: activate_agent(actor=person, agent=agent))
        return perform(self, request, queryset, act, asked)

    @offered_when("active")
    @admin.action(permissions=["stop"], description="Suspend")
    def suspend(self, request: HttpRequest, queryset: QuerySet[AgentIdentity]) -> HttpResponse:
        """Stop agents until somebody activates them again."""
        asked = Confirmation("Suspend this agent? Its calls are refused from now on.", "suspended")
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda agent, reason: suspend_agent(actor=person, agent=agent, reason=reason),
            asked,
        )

    @offered_when("draft", "active", "suspended", danger=True)
    @admin.action(permissions=["stop"], description="Revoke for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[AgentIdentity]) -> HttpResponse:
        """Stop agents for good."""
        asked = Confirmation("Revoke this agent for good? It can never act again.", "revoked")
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda agent, reason: revoke_agent(actor=person, agent=agent, reason=reason),
            asked,
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the forms that change what is said about an agent, and say that it is still wanted."""
        guarded = self.admin_site.admin_view
        return [
            path("<uuid:agent_id>/edit/", guarded(self.edit_view), name=EDIT),
            path("<uuid:agent_id>/recertify/", guarded(self.recertify_view), name=RECERTIFY),
            *super().get_urls(),
        ]

    def edit_view(self, request: HttpRequest, agent_id: UUID) -> HttpResponse:
        """Change what is said about an agent, and who answers for it."""
        agent = self.get_object(request, str(agent_id))
        if agent is None or not self._may_edit(request, agent):
            return self.refuse_unknown(request)
        back = self.page_url("change", agent.pk)

        def submit(values: dict[str, Any]) -> HttpResponse:
            person = acting_person(request)
            changes = do_or_propose(
                actor=person, act=partial(update_agent, actor=person, agent=agent, **values)
            )
            if isinstance(changes, ChangeProposal):
                return lead_to_proposal(request, changes)
            messages.success(
                request, f"{values['name']}: {'changed' if changes else 'nothing was different'}."
            )
            return HttpResponseRedirect(back)

        words = {"title": f"Change {agent}", "button": "Change it", "back_url": back}
        return serve_form(self, request, partial(AgentForm, agent=agent), submit, words)

    def _may_edit(self, request: HttpRequest, agent: AgentIdentity) -> bool:
        person = acting_person(request)
        return agent.state != "revoked" and may_govern(person, CHANGE, agent.team, agent).allowed

    def recertify_view(self, request: HttpRequest, agent_id: UUID) -> HttpResponse:
        """Ask what was looked at, and until when that is good for."""
        agent = self.get_object(request, str(agent_id))
        if agent is None or not may_recertify(acting_person(request), agent).allowed:
            return self.refuse_unknown(request)
        back = self.page_url("change", agent.pk)

        def submit(values: dict[str, Any]) -> HttpResponse:
            done = recertify_agent(actor=acting_person(request), agent=agent, **values)
            messages.success(request, f"{done} is recertified until {done.recertify_by:%Y-%m-%d}.")
            return HttpResponseRedirect(back)

        words = {
            "title": f"Recertify {agent}",
            "button": "It is still wanted as it is",
            "lead": "Look at what it may do, at what of it it uses, and at who answers for it. Unless somebody looks "
            "again by the date that you set, it is suspended then.",
        }
        return serve_form(self, request, RecertifyForm, submit, {**words, "back_url": back})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what every page about an agent names."""
        return super().get_queryset(request).select_related("team", "owner", "sponsor", "service_account")

    def page_context(self, request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
        """Add the applications that may start the agent, with the last use of their keys."""
        granted = subject.agentidentityuserobjectpermission_set.filter(
            permission__codename="start_run", user__kind="application"
        )
        keys = ApiKey.objects.filter(user=OuterRef("user"), revoked_at=None).order_by()
        last = keys.values("user").annotate(last=Max("last_used_at")).values("last")
        starters = granted.select_related("user__application").annotate(last_used=Subquery(last))
        return {
            "starters": [
                (row.user.application, row.last_used)
                for row in starters.order_by("user__application__slug")[:20]
            ],
            "may_edit": self._may_edit(request, subject),
            "may_recertify": may_recertify(acting_person(request), subject).allowed,
        }


def _says(condition: Q) -> ExpressionWrapper[Q]:
    return ExpressionWrapper(condition, BooleanField())


def load_forsaken(request: HttpRequest, subject: Any) -> dict[str, Any] | None:
    """Return the agents that somebody has to see to; Any: the dashboard has no subject."""
    agents = AgentIdentity.objects.visible_to(acting_person(request)).select_related("owner", "sponsor")
    soon = agents.filter(recertify_by__lte=timezone.now() + SOON).exclude(state="revoked")
    ids = (rows.values("pk")[:SHOWN] for rows in (agents.left_alone(), soon.order_by("recertify_by")))
    is_left, is_due = (Q(pk__in=chosen) for chosen in ids)
    found = agents.annotate(is_left=_says(is_left), is_due=_says(is_due)).filter(is_left | is_due)
    rows: list[Any] = list(found.order_by("recertify_by"))  # Any: annotated
    left = [agent for agent in rows if agent.is_left]
    due = [agent for agent in rows if agent.is_due]
    return {"left": left, "due": due} if left or due else None


register_panel(
    Panel("dashboard", "Agents to look at", "identities/forsaken.html", load_forsaken, order=6, size="full")
)


register_destination(
    Destination("Agents", "admin:identities_agentidentity_changelist", order=40, section="Govern")
)
register_streams("identity", AgentIdentity.objects.visible_to)
