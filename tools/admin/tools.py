"""Tools: what they do to the world, who may use them, and the breaker with its switches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import F, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from agentops.console.templatetags.console import badge
from agentops.engine.breaker import BreakerSettings
from agentops.errors import StateConflict
from identities.acting import acting_person
from identities.models import User
from identities.policies import may_govern
from tools.admin.filters import BreakerFilter
from tools.admin.tool_parts import newest_version, read_moves, read_versions
from tools.admin.words import MEANWHILE, describe_schema
from tools.breaker import breaker
from tools.execution import count_places
from tools.lint import split
from tools.mirror import look_at_breaker, recall_breaker
from tools.models import Tool, ToolGroupObjectPermission, ToolUserObjectPermission
from tools.services import (
    accept_tool,
    force_breaker_open,
    lift_forced_breaker,
    override_lint,
    quarantine_tool,
    reset_breaker,
)
from tools.services.catalogue import latest_version
from tools.services.linting import examine_version, find_blocking

WIDE = ("mega_tool", "several_verbs")

OPERATE, CHANGE = "tools.operate_tool", "tools.change_tool"


@admin.register(Tool)
class ToolAdmin(GovernedAdmin):
    """The tools of the viewer's teams."""

    page_template = "tools/tool.html"
    list_display = ("name", state_column(), "breaker_badge", "team", moment_column("created_at", "created"))
    list_filter = ("state", BreakerFilter, ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "breaker_state")
    search_fields = ("name",)
    actions = ("force_open", "lift", "reset", "quarantine", "accept", "override")

    @admin.display(description="breaker")
    def breaker_badge(self, tool: Tool) -> SafeString:
        """Show the breaker as it was last mirrored."""
        return badge(recall_breaker(tool).state)

    def has_operate_permission(self, request: HttpRequest, obj: Tool | None = None) -> bool:
        """Whether this person may work the breaker, of this tool or some tool."""
        return _may(request, OPERATE, obj)

    def has_accept_permission(self, request: HttpRequest, obj: Tool | None = None) -> bool:
        """Whether this person may put the tool, or some tool, back into service."""
        return _may(request, CHANGE, obj)

    def has_override_permission(self, request: HttpRequest, obj: Tool | None = None) -> bool:
        """Whether this person may override what lint holds against the tool, or some tool, where it does."""
        version = newest_version(request, obj) if obj is not None else None
        has_errors = obj is None or (version is not None and bool(find_blocking(version)))
        return has_errors and _may(request, CHANGE, obj)

    @offered_when("active", "active held", "active forced", danger=True)
    @admin.action(permissions=["override"], description="Use it in spite of its lint")
    def override(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Let agents be published with tools whose lint has errors."""
        person = acting_person(request)
        asked = Confirmation(
            "Let agents be published with it in spite of its lint, in your name?", "overridden, in your name"
        )
        return perform(self, request, queryset, lambda tool, reason: _override(person, tool, reason), asked)

    @offered_when("active", "active held", danger=True)
    @admin.action(permissions=["operate"], description="Stop all calls")
    def force_open(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Force breakers open."""
        person = acting_person(request)
        asked = Confirmation(
            "Stop all calls of this tool until a person lifts it?", "stopped: no call goes out"
        )
        return perform(
            self,
            request,
            queryset,
            lambda tool, reason: force_breaker_open(actor=person, tool=tool, reason=reason),
            asked,
        )

    @offered_when("active forced", "quarantined forced")
    @admin.action(permissions=["operate"], description="Let calls through again")
    def lift(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Lift forced breakers."""
        person = acting_person(request)
        asked = Confirmation(
            "Let calls through again?", "lifted: the automatic breaker decides again", reason="none"
        )
        return perform(
            self, request, queryset, lambda tool, _: lift_forced_breaker(actor=person, tool=tool), asked
        )

    @offered_when("active held", "active forced")
    @admin.action(permissions=["operate"], description="Reset the breaker")
    def reset(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Close automatic breakers and forget their failures."""
        person = acting_person(request)
        asked = Confirmation("Close the automatic breaker and forget its failures?", "reset", reason="none")
        return perform(self, request, queryset, lambda tool, _: reset_breaker(actor=person, tool=tool), asked)

    @offered_when("active", "active held", "active forced", danger=True)
    @admin.action(permissions=["operate"], description="Quarantine")
    def quarantine(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Take tools out of service."""
        person = acting_person(request)
        asked = Confirmation("Take this tool out of service until somebody accepts it again?", "quarantined")
        return perform(
            self,
            request,
            queryset,
            lambda tool, reason: quarantine_tool(actor=person, tool=tool, reason=reason),
            asked,
        )

    @offered_when("quarantined", "quarantined forced", "quarantined held")
    @admin.action(permissions=["accept"], description="Accept again")
    def accept(self, request: HttpRequest, queryset: QuerySet[Tool]) -> HttpResponse:
        """Put quarantined tools back into service."""
        person = acting_person(request)
        asked = Confirmation("Put this tool back into service?", "back in service", reason="optional")
        return perform(
            self,
            request,
            queryset,
            lambda tool, reason: accept_tool(actor=person, tool=tool, reason=reason),
            asked,
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what every page about a tool names."""
        return super().get_queryset(request).select_related("team", "breaker_state", "forced_open_by")

    def action_state(self, subject: Tool) -> str:
        """Combine service and breaker: "active", "active held" (open by itself), "active forced"."""
        word = look_at_breaker(subject).state
        held = {"closed": "", "forced_open": " forced"}.get(word, " held")
        return f"{subject.state}{held}"

    def page_context(self, request: HttpRequest, subject: Tool) -> dict[str, Any]:
        """Add the newest version, its arguments, the breaker, and the people and agents that may."""
        versions = read_versions(request, subject)
        latest = versions[0] if versions else None
        findings = examine_version(latest) if latest else []
        is_wide = any(finding.code in WIDE for finding in findings)
        seen = breaker().snapshot(subject.pk, BreakerSettings(**latest.breaker) if latest else None)
        shown = look_at_breaker(subject, seen)
        return {
            "latest": latest,
            "versions": versions,
            "arguments": describe_schema(latest.input_schema) if latest else [],
            "findings": findings,
            "blocking": find_blocking(latest) if latest else [],
            "overrides": latest.lint_overrides.select_related("by") if latest else [],
            "narrower": split(subject.name, latest.description, latest.input_schema)
            if is_wide and latest
            else [],
            "taken": count_places(subject.pk) if latest and latest.max_concurrency else None,
            "shown": shown,
            "moves": read_moves(subject, shown),
            "meanwhile": MEANWHILE[latest.on_breaker_open] if latest else "",
            "breaker": seen,
        }


def _override(person: User, tool: Tool, reason: str) -> None:
    version = latest_version(tool)
    if version is None:
        raise StateConflict("no_version", f"the tool {tool.name} has no version")
    override_lint(actor=person, version=version, reason=reason)


def _may(request: HttpRequest, permission: str, tool: Tool | None) -> bool:
    """Return whether this person may, asked once for all buttons of a page."""
    known: dict[tuple[str, UUID | None], bool] = request.META.setdefault("agentops.may", {})
    asked = permission, None if tool is None else tool.pk
    if asked not in known:
        person = acting_person(request)
        known[asked] = (
            holds_somewhere(person, permission)
            if tool is None
            else may_govern(person, permission, tool.team, tool).allowed
        )
    return known[asked]


def show_approvers(request: HttpRequest, subject: Tool) -> dict[str, Any]:
    """Return who may approve the tool's calls."""
    latest = newest_version(request, subject)
    return {
        "approvers": read_approvers(subject),
        "irreversible": latest is not None and latest.effect == "irreversible",
    }


def read_approvers(tool: Tool) -> list[str]:
    """Return the names of the people and groups that may approve the tool's calls."""
    may = {"content_object": tool, "permission__codename": "approve_calls"}
    people = ToolUserObjectPermission.objects.filter(**may).annotate(named=F("user__username"), rank=Value(0))
    groups = ToolGroupObjectPermission.objects.filter(**may).annotate(named=F("group__name"), rank=Value(1))
    both = people.values_list("rank", "named").union(groups.values_list("rank", "named"), all=True)
    return [f"the group {name}" if rank else name for rank, name in sorted(both)]


register_panel(
    Panel("tools.tool", "Who may approve its calls", "tools/approvers.html", show_approvers, 6, size="third")
)
register_destination(Destination("Tools", "admin:tools_tool_changelist", order=50, section="Govern"))
register_streams("tool", Tool.objects.visible_to)
