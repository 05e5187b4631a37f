"""Runs that are examples to learn from, and the file that a model is tuned by."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.models import AgentIdentity
from runs.examples.sending import FileStream
from runs.examples.services import EXPORT, Selection, export_examples
from runs.models import Example

LEAD = (
    "Each line of the file is one step: what the model was shown, as it was redacted then, and what it answered. What "
    "leaves is on the record, with who took it and the digest of the file. What was erased is not in it."
)


class ExportForm(forms.Form):
    """Whose examples, which of them, and what for."""

    agent = forms.ModelChoiceField(queryset=AgentIdentity.objects.none())
    version = forms.IntegerField(min_value=1, required=False, label="Only of version")
    task = forms.CharField(max_length=64, required=False, label="Only of the type of task")
    since = forms.DateTimeField(required=False, label="Only of runs that began at or after (UTC)")
    until = forms.DateTimeField(required=False, label="Only of runs that began before (UTC)")
    reason = forms.CharField(max_length=2_000, widget=forms.Textarea(attrs={"rows": 2}), label="What for")

    @classmethod
    def of(cls, agents: QuerySet[AgentIdentity], *data: Any) -> ExportForm:
        """Return the form with the agents that the viewer sees."""
        form = cls(*data)
        cast(Any, form.fields["agent"]).queryset = agents  # Any: generic in the stubs
        return form


@admin.register(Example)
class ExampleAdmin(GovernedAdmin):
    """What people have said of runs of the viewer's teams, the newest first."""

    list_title = "Examples"
    empty_words = (
        "Nobody has called a run an example to learn from. Who may approves one on its page, or rejects it."
    )
    page_template = "runs/example.html"
    change_list_template = "runs/examples.html"
    list_display = ("of_run", "verdict", "decided_by", moment_column("decided_at", "decided"))
    list_filter = ("verdict",)
    list_select_related = ("run__identity", "decided_by")
    ordering = ("-decided_at",)

    @admin.display(description="run")
    def of_run(self, row: Example) -> str:
        """Name the agent and the run."""
        return f"{row.run.identity} · {str(row.run_id)[-8:]}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead those to the export who may export."""
        may_export = holds_somewhere(acting_person(request), EXPORT)
        return super().changelist_view(request, {"may_export": may_export, **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what list and page name."""
        return (
            super().get_queryset(request).select_related("run__identity", "run__agent_version", "decided_by")
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the export."""
        view = self.admin_site.admin_view(partial(export_view, self))
        return [path("export/", view, name="runs_example_export"), *super().get_urls()]


def export_view(page: ExampleAdmin, request: HttpRequest) -> Any:  # Any: a page, or a file
    """Offer the form, and hand the file out."""
    person = acting_person(request)
    if not holds_somewhere(person, EXPORT):
        raise PermissionDenied
    agents = AgentIdentity.objects.visible_to(person).select_related("team").order_by("slug")

    def submit(values: dict[str, Any]) -> HttpResponse:
        agent, reason = values.pop("agent"), values.pop("reason")
        selection = Selection(**{name: value for name, value in values.items() if value not in (None, "")})
        made = export_examples(actor=person, identity=agent, selection=selection, reason=reason)
        return cast(HttpResponse, FileStream(made, agent.slug))

    context = {"title": "Export examples", "lead": LEAD, "button": "Export"}
    context["back_url"] = page.page_url("changelist")
    return serve_form(page, request, partial(ExportForm.of, agents), submit, context)


register_destination(Destination("Examples", "admin:runs_example_changelist", order=47, section="Govern"))
register_streams("example", Example.objects.visible_to)
