"""Agent identities: who and why, owner, state, and the switches that stop them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import AgentIdentity, ApiKey
from identities.policies import may_govern, may_stop_agent
from identities.services import activate_agent, revoke_agent, suspend_agent

OPERATE = "identities.operate_agent"


@admin.register(AgentIdentity)
class AgentIdentityAdmin(GovernedAdmin):
    """The agents of the viewer's teams."""

    page_template = "identities/agent.html"
    list_display = ("name", state_column(), "purpose", "owner", "team")
    list_filter = ("state", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "owner")
    search_fields = ("name", "slug", "purpose")
    actions = ("activate", "suspend", "revoke")

    def has_stop_permission(self, request: HttpRequest, obj: AgentIdentity | None = None) -> bool:
        """Whether this person may stop the agent, or some agent."""
        person = acting_person(request)
        if obj is not None:
            return may_stop_agent(person, obj).allowed
        return person.owned_agents.exists() or holds_somewhere(person, OPERATE)

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
        return perform(
            self,
            request,
            queryset,
            lambda agent, _: activate_agent(actor=acting_person(request), agent=agent),
            asked,
        )

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what every page about an agent names."""
        return super().get_queryset(request).select_related("team", "owner", "service_account")

    def page_context(self, request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
        """Add the applications that may start the agent, with the last use of their keys."""
        granted = subject.agentidentityuserobjectpermission_set.filter(
            permission__codename="start_run", user__kind="application"
        )
        starters = granted.select_related("user__application").order_by("user__application__slug")[:20]
        keys = ApiKey.objects.filter(user__in=[row.user_id for row in starters], revoked_at=None)
        used = dict(keys.order_by("last_used_at").values_list("user_id", "last_used_at"))
        return {"starters": [(row.user.application, used.get(row.user_id)) for row in starters]}


register_destination(
    Destination("Agents", "admin:identities_agentidentity_changelist", order=40, section="Govern")
)
register_streams("identity", AgentIdentity.objects.visible_to)
