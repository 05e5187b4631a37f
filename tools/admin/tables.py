"""Decision tables: written by people who know the rules, published by two of them, with every version to look at."""

from __future__ import annotations

from functools import partial
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from agentops.console.columns import moment_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from agentops.errors import AgentOpsError
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Team
from identities.policies import may_govern
from tools.admin.table_editor import START, describe_form, may_edit
from tools.decisions.definitions import read_definition
from tools.decisions.differences import describe_differences
from tools.models import DecisionTable, DecisionTableVersion
from tools.services import TableDraft, create_table, import_table, publish_table, retire_table, save_table
from tools.services.changes.tables import PUBLISHER
from tools.services.tables import ADD_TABLE, DRAFT_TABLE, export_table
from tools.tables.draft_form import change_draft, read_draft
from tools.tables.looking_over import LookedOver, look_over

MOST_SHOWN = 20


class TableForm(forms.Form):
    """A table that says nothing yet."""

    team = forms.ModelChoiceField(queryset=Team.objects.none())
    slug = forms.SlugField(max_length=64, help_text="What tools and grants call it.")
    name = forms.CharField(max_length=120, help_text="What it decides, in plain words.")

    def __init__(self, *args: Any, teams: QuerySet[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = teams  # type: ignore[attr-defined]  # a field of models


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(required=False, widget=widget, label=label)


class DatesForm(forms.Form):
    """From when until when a version decides, once it is published."""

    effective_from = _moment("Decides from (UTC)")
    effective_until = _moment("Decides until (UTC)")


class PublishForm(forms.Form):
    """Why it may decide although something is open."""

    acknowledgement = forms.CharField(
        max_length=300,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Why what is open is meant so",
        help_text="Needed where rules are missing or overlap. It stays on record.",
    )


class ReasonForm(forms.Form):
    """Why something ends."""

    reason = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


class ImportForm(forms.Form):
    """A DMN document, and which of its decisions is meant."""

    document = forms.CharField(
        max_length=1_000_000, widget=forms.Textarea(attrs={"rows": 12}), label="DMN 1.3, 1.4 or 1.5, as XML"
    )
    decides = forms.CharField(
        max_length=100,
        required=False,
        label="Decision",
        help_text="Needed where it is not clear which is meant.",
    )


@admin.register(DecisionTable)
class DecisionTableAdmin(GovernedAdmin):
    """The decision tables of the viewer's teams."""

    add_label = "Write a table"
    empty_words = "No decision table yet: grants alone say what agents may do."
    page_template = "tools/table.html"
    list_display = ("slug", "name", "team", moment_column("created_at", "made"))
    list_filter = (("team", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("team",)
    search_fields = ("slug", "name")

    def get_urls(self) -> list[URLPattern]:
        """Add what is done with a table."""
        views = {"edit": self.edit_view, "publish": self.publish_view, "import": self.import_view}
        of_version = {"export": self.export_view, "retire": self.retire_view}
        own = [
            path(
                f"<uuid:pk>/{name}/{more}",
                self.admin_site.admin_view(view),
                name=f"tools_decisiontable_{name}",
            )
            for found, more in ((views, ""), (of_version, "<uuid:version>/"))
            for name, view in found.items()
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to whoever may write some; the service decides for which team."""
        return holds_somewhere(acting_person(request), ADD_TABLE)

    def page_context(self, request: HttpRequest, subject: DecisionTable) -> dict[str, Any]:
        """Add its versions, each with what differs from the one before."""
        versions = list(subject.versions.select_related("created_by", "published_by")[: MOST_SHOWN + 1])
        begun = subject.versions.begun(timezone.now()).first()
        draft = next((each for each in versions if each.state == "draft"), None)
        person = acting_person(request)
        return {
            "versions": _compare(versions)[:MOST_SHOWN],
            "in_force": begun if begun is not None and begun.state == "published" else None,
            "draft": draft,
            "seen": look_over(draft.definition, draft.cases) if draft else None,
            "may_draft": may_govern(person, DRAFT_TABLE, subject.team).allowed,
            "may_publish": may_govern(person, PUBLISHER, subject.team).allowed,
            "is_editable": may_edit(versions[0] if versions else None),
        }

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Name a table, and go on to write it."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        make_form = partial(TableForm, teams=Team.objects.visible_to(acting_person(request)))
        context = {"title": "Write a table", "button": "Go on", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._add, request), context)

    def edit_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Show the editor; a button changes the form, the last one keeps the draft."""
        table = self._find(request, pk, DRAFT_TABLE)
        if table is None:
            return self.refuse_unknown(request)
        latest = table.versions.first()
        if not may_edit(latest):
            messages.warning(
                request, "This one is a model, or larger than the editor: export it, and import it anew."
            )
            return HttpResponseRedirect(self.page_url("change", table.pk))
        if request.method == "POST":
            return self._edit(request, table)
        definition = latest.definition if latest else START
        cases = latest.cases if latest else []
        digest = latest.digest if latest and latest.state == "draft" else ""
        given = latest if latest and latest.state == "draft" else None
        dates = DatesForm(
            initial={name: getattr(given, name, None) for name in ("effective_from", "effective_until")}
        )
        return self._show(request, table, definition, cases, look_over(definition, cases), digest, dates)

    def publish_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Have the draft decide, or propose that."""
        table = self._find(request, pk, PUBLISHER)
        draft = table.versions.filter(state="draft").first() if table else None
        if table is None or draft is None:
            return self.refuse_unknown(request)
        draft.table = table
        context = {
            "title": f"Publish {draft}",
            "button": "Publish",
            "back_url": self.page_url("change", table.pk),
            "seen": look_over(draft.definition, draft.cases),
            "lines": _compare([draft, *table.versions.exclude(state="draft")[:1]])[0][1],
        }
        return serve_form(
            self,
            request,
            PublishForm,
            partial(self._publish, request, draft),
            context,
            "tools/table_publish.html",
        )

    def import_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Make a draft of a DMN document."""
        table = self._find(request, pk, DRAFT_TABLE)
        if table is None:
            return self.refuse_unknown(request)
        context = {
            "title": f"Import {table}",
            "button": "Import",
            "back_url": self.page_url("change", table.pk),
        }
        return serve_form(self, request, ImportForm, partial(self._import, request, table), context)

    def retire_view(self, request: HttpRequest, pk: object, version: object) -> HttpResponse:
        """Take a version out of use."""
        table = self._find(request, pk, PUBLISHER)
        found = table.versions.filter(pk=str(version)).first() if table else None
        if table is None or found is None:
            return self.refuse_unknown(request)
        context = {
            "title": f"Retire {table} v{found.number}",
            "lead": "Nothing is decided by this table then, until another version is published.",
            "button": "Retire",
            "back_url": self.page_url("change", table.pk),
        }
        return serve_form(self, request, ReasonForm, partial(self._retire, request, found), context)

    def export_view(self, request: HttpRequest, pk: object, version: object) -> HttpResponse:
        """Hand a version out as DMN 1.5."""
        table = self.get_object(request, str(pk))
        found = table.versions.filter(pk=str(version)).first() if table else None
        if table is None or found is None:
            return self.refuse_unknown(request)
        try:
            document = export_table(found)
        except AgentOpsError as error:
            messages.warning(request, f"It cannot be exported: {error.detail}")
            return HttpResponseRedirect(self.page_url("change", table.pk))
        answer = HttpResponse(document, content_type="application/xml")
        answer["Content-Disposition"] = f'attachment; filename="{table.slug}-v{found.number}.dmn"'
        return answer

    def _find(self, request: HttpRequest, pk: object, permission: str) -> DecisionTable | None:
        table: DecisionTable | None = self.get_object(request, str(pk))
        allowed = table is not None and may_govern(acting_person(request), permission, table.team).allowed
        return table if allowed else None

    def _edit(self, request: HttpRequest, table: DecisionTable) -> HttpResponse:
        sent, act = request.POST.dict(), request.POST.get("act", "")
        digest, problem = sent.get("seen", ""), ""
        definition, cases = read_draft(sent)
        change_draft(definition, cases, act)
        dates = DatesForm(request.POST)
        if act == "save" and dates.is_valid():
            draft = TableDraft(definition, cases, **dates.cleaned_data)
            try:
                save_table(actor=acting_person(request), table=table, draft=draft, seen=digest)
            except AgentOpsError as error:
                problem = f"{(error.detail or error.code).rstrip('.')}. Nothing was changed."
            else:
                messages.success(request, "The draft was kept. It decides nothing until it is published.")
                return HttpResponseRedirect(self.page_url("change", table.pk))
        return self._show(
            request, table, definition, cases, look_over(definition, cases), digest, dates, problem
        )

    def _show(
        self, request: HttpRequest, table: DecisionTable, definition: Any, cases: Any, seen: LookedOver,
        digest: str, dates: DatesForm, problem: str = "",
    ) -> HttpResponse:  # fmt: skip
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Write {table}",
            "table": table,
            "digest": digest,
            "dates": dates,
            "problem": problem,
            **describe_form(definition, cases, seen),
        }
        status = 422 if problem else 200
        return TemplateResponse(request, "tools/table_editor.html", context, status=status)

    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        table = create_table(actor=acting_person(request), **values)
        return HttpResponseRedirect(self.page_url("edit", table.pk))

    def _publish(
        self, request: HttpRequest, draft: DecisionTableVersion, values: dict[str, Any]
    ) -> HttpResponse:
        person = acting_person(request)
        done = do_or_propose(actor=person, act=partial(publish_table, actor=person, version=draft, **values))
        if isinstance(done, ChangeProposal):
            return lead_to_proposal(request, done)
        messages.success(request, f"{done} is published.")
        return HttpResponseRedirect(self.page_url("change", draft.table_id))

    def _import(self, request: HttpRequest, table: DecisionTable, values: dict[str, Any]) -> HttpResponse:
        document = values["document"].encode()
        version = import_table(
            actor=acting_person(request), table=table, document=document, decides=values["decides"]
        )
        messages.success(request, f"{version} is a draft of it.")
        return HttpResponseRedirect(self.page_url("change", table.pk))

    def _retire(
        self, request: HttpRequest, version: DecisionTableVersion, values: dict[str, Any]
    ) -> HttpResponse:
        retire_table(actor=acting_person(request), version=version, reason=values["reason"])
        messages.success(request, f"{version} decides nothing any more.")
        return HttpResponseRedirect(self.page_url("change", version.table_id))


def _compare(versions: list[DecisionTableVersion]) -> list[tuple[DecisionTableVersion, list[str]]]:
    """Return each version with what differs from the next one of the list, which came before it."""
    definitions = [read_definition(each.definition) for each in versions]
    earlier = [*definitions[1:], None]
    return [
        (version, describe_differences(before, after) or ["no rule differs"])
        for version, after, before in zip(versions, definitions, earlier, strict=True)
    ]


register_destination(
    Destination("Decision tables", "admin:tools_decisiontable_changelist", order=52, section="Govern")
)
register_streams("decision_table", DecisionTable.objects.visible_to)
