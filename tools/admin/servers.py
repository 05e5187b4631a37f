"""Servers of tools: named, asked what they have, and their tools taken over one by one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from agentops.console.actions import Confirmation, offered_when, perform
from agentops.console.columns import moment_column, state_column
from agentops.console.forms import serve_form
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.panels import Panel, register_panel
from agentops.console.rights import holds_somewhere
from agentops.console.streams import register_streams
from identities.acting import acting_person
from identities.admin.changes import lead_to_proposal
from identities.changes import do_or_propose
from identities.models import ChangeProposal, Team
from identities.policies import may_govern
from tools.adapters.mcp.definitions import compare
from tools.admin.server_forms import DocumentForm, ServerForm, fill_in, form_for
from tools.models import ServerTool, Tool, ToolServer
from tools.services import (
    ServerDefinition,
    Takeover,
    create_server,
    import_tool,
    refresh_server,
    retire_server,
)
from tools.services.catalogue import CHANGE
from tools.services.servers import ADD


@admin.register(ToolServer)
class ToolServerAdmin(GovernedAdmin):
    """The servers of the viewer's teams."""

    add_label = "Add a server"
    empty_words = "No server yet: add one whose tools are to be taken over."
    page_template = "tools/server.html"
    list_display = (
        "slug",
        state_column(),
        "team",
        "transport",
        "trouble",
        moment_column("checked_at", "asked"),
    )
    list_filter = ("state", "transport", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team",)
    search_fields = ("slug", "url")
    actions = ("refresh", "retire")

    def get_urls(self) -> list[URLPattern]:
        """Add the forms that take a tool over, and a document in."""
        view = self.admin_site.admin_view(self.import_view)
        own = path("<uuid:pk>/import/<uuid:listed>/", view, name="tools_toolserver_import")
        bring = self.admin_site.admin_view(self.document_view)
        brought = path("<uuid:pk>/document/", bring, name="tools_toolserver_document")
        return [own, brought, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load what the page names."""
        return super().get_queryset(request).select_related("team")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Offer the form to whoever may add some; the service decides for which team."""
        return holds_somewhere(acting_person(request), ADD)

    def has_refresh_permission(self, request: HttpRequest, obj: ToolServer | None = None) -> bool:
        """Whether this person may ask the server, or some server."""
        return _may(request, ADD, obj)

    def has_retire_permission(self, request: HttpRequest, obj: ToolServer | None = None) -> bool:
        """Whether this person may retire the server, or some server."""
        return _may(request, CHANGE, obj)

    def page_context(self, request: HttpRequest, subject: ToolServer) -> dict[str, Any]:
        """Add what it lists."""
        listed = subject.listed.select_related("tool").order_by("name")[:1000]
        may_import = subject.state == ToolServer.State.ACTIVE and _may(request, ADD, subject)
        document = subject.documents.defer("text").order_by("-taken_at").first()
        return {"listed": listed, "may_import": may_import, "document": document}

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Name a server."""
        if not self.has_add_permission(request):
            return self.refuse_unknown(request)
        make_form = partial(ServerForm, teams=Team.objects.visible_to(acting_person(request)))
        context = {"title": "Add a server", "button": "Add", "back_url": self.page_url("changelist")}
        return serve_form(self, request, make_form, partial(self._add, request), context)

    def import_view(self, request: HttpRequest, pk: object, listed: object) -> HttpResponse:
        """Take a tool over as the server describes it now."""
        found = self.get_object(request, str(pk))
        row = ServerTool.objects.filter(pk=str(listed), server=found).first() if found else None
        if row is None or not _may(request, ADD, found):
            return self.refuse_unknown(request)
        context = {
            "title": f"Take over {row}",
            "button": "Accept as it is described now" if row.is_changed else "Take over",
            "lead": row.described.get("description", ""),
            "back_url": self.page_url("change", row.server_id),
            "row": row,
            "changes": compare(row.accepted, row.described) if row.accepted else (),
            "annotations": row.described.get("annotations", {}),
        }
        make_form = partial(form_for(row), initial=fill_in(row))
        return serve_form(
            self, request, make_form, partial(self._import, request, row), context, "tools/import.html"
        )

    def document_view(self, request: HttpRequest, pk: object) -> HttpResponse:
        """Take in a document that somebody brings."""
        server = self.get_object(request, str(pk))
        if server is None or not _may(request, ADD, server):
            return self.refuse_unknown(request)
        context = {
            "title": f"A document of {server}",
            "button": "Read it",
            "lead": "Nothing is taken over by it. What it describes otherwise than was accepted is quarantined.",
            "back_url": self.page_url("change", server.pk),
        }
        return serve_form(self, request, DocumentForm, partial(self._read, request, server), context)

    @offered_when("active")
    @admin.action(permissions=["refresh"], description="Ask what it has")
    def refresh(self, request: HttpRequest, queryset: QuerySet[ToolServer]) -> HttpResponse:
        """Ask servers for their tools."""
        person = acting_person(request)
        asked = Confirmation("Ask this server which tools it has?", "asked", reason="none")
        return perform(
            self, request, queryset, lambda server, _: refresh_server(actor=person, server=server), asked
        )

    @offered_when("active", danger=True)
    @admin.action(permissions=["retire"], description="Retire for good")
    def retire(self, request: HttpRequest, queryset: QuerySet[ToolServer]) -> HttpResponse:
        """Take servers out of use with all of their tools."""
        person = acting_person(request)
        return perform(
            self,
            request,
            queryset,
            lambda server, reason: retire_server(actor=person, server=server, reason=reason),
            Confirmation("Retire this server and all of its tools for good?", "retired"),
        )

    def _add(self, request: HttpRequest, values: dict[str, Any]) -> HttpResponse:
        team, slug = values.pop("team"), values.pop("slug")
        server = create_server(
            actor=acting_person(request), team=team, slug=slug, definition=ServerDefinition(**values)
        )
        messages.success(request, f"The server {server} was added. {_next_step(server)}")
        return HttpResponseRedirect(self.page_url("change", server.pk))

    def _read(self, request: HttpRequest, server: ToolServer, values: dict[str, Any]) -> HttpResponse:
        document = values["document"]
        refresh_server(actor=acting_person(request), server=server, document=document)
        messages.success(request, f"The document of {server} was read.")
        return HttpResponseRedirect(self.page_url("change", server.pk))

    def _import(self, request: HttpRequest, row: ServerTool, values: dict[str, Any]) -> HttpResponse:
        seen = values.pop("seen")
        person = acting_person(request)
        take_over = partial(import_tool, actor=person, described=row, takeover=Takeover(**values), seen=seen)
        version = do_or_propose(actor=person, act=take_over)
        if isinstance(
            version, ChangeProposal
        ):  # once it is activated, taking the same over puts it into service
            return lead_to_proposal(request, version)
        messages.success(request, f"The tool {version} is there: {version.get_effect_display().lower()}.")
        return HttpResponseRedirect(reverse("admin:tools_tool_change", args=[version.tool_id]))


def _next_step(server: ToolServer) -> str:
    is_brought = server.transport == ToolServer.Transport.OPENAPI and not server.document_url
    return "Bring its document." if is_brought else "Ask it what it has."


def _may(request: HttpRequest, permission: str, server: ToolServer | None) -> bool:
    person = acting_person(request)
    if server is None:
        return holds_somewhere(person, permission)
    return may_govern(person, permission, server.team).allowed


def read_origin(request: HttpRequest, subject: Tool) -> dict[str, Any] | None:
    """Return where a tool comes from and what has changed there, None for one of our own."""
    row = ServerTool.objects.filter(tool=subject).select_related("server").first()
    if row is None:
        return None
    changes = compare(row.accepted or {}, row.described) if row.is_listed and row.is_changed else ()
    return {"row": row, "changes": changes}


register_panel(
    Panel("tools.tool", "Where it comes from", "tools/origin.html", read_origin, order=10, size="full")
)
register_destination(
    Destination("Servers of tools", "admin:tools_toolserver_changelist", order=51, section="Govern")
)
register_streams("server", ToolServer.objects.visible_to)
