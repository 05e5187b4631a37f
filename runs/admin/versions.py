"""Agent versions: what was published, what each lacks, and the switch that publishes a draft."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, money_column, state_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.admin.changes import or_propose
from identities.policies import may_govern
from runs.admin.preflight import preflight_view
from runs.admin.provisioning import begin_view, provisioning_view
from runs.admin.table_foresight import foresight_view
from runs.admin.tool_use import tool_calls_view
from runs.admin.try_it import try_view
from runs.admin.what_if import what_if_view
from runs.fulfilment.declared import read_tasks
from runs.fulfilment.words import describe
from runs.indicators.reading import read_indicators
from runs.indicators.samples import find_task_with_runs
from runs.indicators.watching import list_tasks
from runs.models import AgentVersion, Price
from runs.models.versions import list_models
from runs.preflight import advise, check_version
from runs.publishing import publish_version, retire_version

CHANGE = "runs.change_agentversion"


@admin.register(AgentVersion)
class AgentVersionAdmin(GovernedAdmin):
    """The versions of the agents of the viewer's teams."""

    page_template = "runs/version.html"
    list_display = (
        "version_name",
        state_column(),
        "model",
        "max_steps",
        money_column("max_usd", "limit of a run"),
        moment_column("published_at", "published"),
    )
    list_filter = ("state", ("identity", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("identity",)
    search_fields = ("identity__name", "identity__slug", "model")
    ordering = ("identity__slug", "-number")
    actions = ("publish", "retire")

    @admin.display(description="version")
    def version_name(self, version: AgentVersion) -> str:
        """Name agent and number."""
        return str(version)

    def has_publish_permission(self, request: HttpRequest, obj: AgentVersion | None = None) -> bool:
        """Whether this person may publish and retire versions of the agent, or of some agent."""
        person = acting_person(request)
        if obj is None:
            return holds_somewhere(person, CHANGE)
        return may_govern(person, CHANGE, obj.identity.team, obj.identity).allowed

    @offered_when("draft")
    @admin.action(permissions=["publish"], description="Publish")
    def publish(self, request: HttpRequest, queryset: QuerySet[AgentVersion]) -> HttpResponse:
        """Publish drafts that lack nothing."""
        person = acting_person(request)
        asked = Confirmation(
            "Publish this version? New runs use it, and the present one is retired.", "published", "none"
        )
        act = or_propose(request, lambda version, _: publish_version(actor=person, version=version))
        return perform(self, request, queryset, act, asked)

    @offered_when("published", danger=True)
    @admin.action(permissions=["publish"], description="Retire")
    def retire(self, request: HttpRequest, queryset: QuerySet[AgentVersion]) -> HttpResponse:
        """Take versions out of use."""
        person = acting_person(request)
        asked = Confirmation("Retire this version? No new run of the agent starts.", "retired", "none")
        return perform(
            self, request, queryset, lambda version, _: retire_version(actor=person, version=version), asked
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the pages about the whole installation, and about calls that nobody makes."""
        guarded = self.admin_site.admin_view
        return [
            path("preflight/", guarded(preflight_view), name="runs_preflight"),
            path("set-up/", guarded(provisioning_view), name="runs_provisioning_start"),
            path("set-up/<slug:step>/", guarded(provisioning_view), name="runs_provisioning"),
            path("begin/<uuid:agent_id>/", guarded(begin_view), name="runs_begin"),
            path("what-if/<uuid:agent_id>/", guarded(what_if_view), name="runs_what_if"),
            path("try/<uuid:tool_id>/", guarded(try_view), name="runs_try"),
            path("calls/<uuid:tool_id>/", guarded(tool_calls_view), name="runs_tool_calls"),
            path("table/<uuid:version_id>/", guarded(foresight_view), name="runs_table_foresight"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("identity__team", "published_by")

    def page_context(self, request: HttpRequest, subject: AgentVersion) -> dict[str, Any]:
        """Add the catalogue, the price, and everything that is missing from a version still to be used."""
        retired = subject.state == AgentVersion.State.RETIRED
        catalogue = list(subject.catalogue.select_related("tool").order_by("tool__name"))
        return {
            "catalogue": catalogue,
            "routes": _read_routes(subject),
            "findings": [] if retired else check_version(subject),
            "advice": [] if retired else advise(subject, catalogue),
            "tasks": [
                (task, [describe(check) for check in task.checks]) for task in read_tasks(subject.tasks)
            ],
            "indicators": read_indicators(subject, _choose_task(subject, request.GET.get("task"))),
        }


def _choose_task(version: AgentVersion, asked: str | None) -> str:
    """Return of which type of task the indicators are shown: of the first with runs unless an address names another."""
    tasks = list_tasks(version)
    if asked is not None and asked in tasks:
        return asked
    found = find_task_with_runs(version.pk, tasks)
    return tasks[0] if found is None else found


TASKS = {"plan": "Model for plans", "execute": "Model that carries out", "summarise": "Model for summaries"}


def _read_routes(version: AgentVersion) -> list[tuple[str, list[tuple[str, Price | None]]]]:
    """Return the models of each of a version's roles with their prices; one line where all calls go to one."""
    models = list_models(version)
    prices = {price.model: price for price in Price.objects.filter(model__in=models, active=True)}
    if not version.model_roles:
        return [("Model", [(version.model, prices.get(version.model))])]
    used = [role for role in TASKS if role != "summarise" or version.summarise]
    named = {role: version.model_roles.get(role) or [version.model] for role in used}
    return [(TASKS[role], [(name, prices.get(name)) for name in names]) for role, names in named.items()]


register_destination(
    Destination("Versions", "admin:runs_agentversion_changelist", order=45, section="Govern")
)
register_streams("version", AgentVersion.objects.visible_to)
