"""The base of every page: read-only, limited to what the user may see, acting through services."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import capfirst

from agentops.console.actions import offered_buttons
from agentops.console.panels import panels_for

if TYPE_CHECKING:
    StockAdmin = admin.ModelAdmin[Any]  # Any: each subclass is for its own model
    StockPaginator = Paginator[Any]
else:
    StockAdmin = admin.ModelAdmin
    StockPaginator = Paginator

MOST_COUNTED = 10_000


class BoundedPaginator(StockPaginator):
    """Count no further than anybody pages, so that a list costs the same whatever its table holds."""

    @cached_property
    def count(self) -> int:
        """Return the number of rows, at most 10,000."""
        rows: Any = self.object_list  # Any: the admin passes querysets
        return int(rows[:MOST_COUNTED].count())


class GovernedAdmin(StockAdmin):
    """Shows what ``visible_to`` gives; rows are added and changed by services only, and never deleted.

    ``page_template`` replaces the stock form by a page about one object; ``add_label`` names the form that
    asks a service for a new one; ``linked_by`` names columns by which other pages link to the list, narrowed;
    ``empty_words`` stand where the list would, and say what would be there.
    """

    page_template = ""
    add_label = ""
    linked_by: tuple[str, ...] = ()
    list_title = ""
    empty_words = "None yet."
    empty_value_display = ""
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    show_full_result_count = False
    paginator = BoundedPaginator

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let staff look; the queryset decides at what."""
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """List the app for staff."""
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows are made by services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: rows are changed by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse, always: what happened stays."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that this user may see."""
        return self.visible(super().get_queryset(request), request.user)

    def visible(self, queryset: Any, user: Any) -> QuerySet[Any]:
        """Limit rows to those that a user may see; Any: each model has its own queryset."""
        limited: QuerySet[Any] = queryset.visible_to(user)
        return limited

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether an address may narrow the list by this: by what it shows or filters by, and nothing else.

        Django lets any column of the table be asked about: who sees a list would read a password's hash from it, by
        its beginnings.
        """
        column = lookup.partition("__")[0]
        try:
            self.opts.get_field(column)
        except FieldDoesNotExist:  # the name of a filter
            return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # as Django calls it
        return column in self._open_columns() and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # as Django calls it

    def _open_columns(self) -> set[str]:
        named = [*self.linked_by, *(each if isinstance(each, str) else "" for each in self.list_display)]
        for each in self.list_filter:
            first = each[0] if isinstance(each, tuple | list) else each
            named.append(first if isinstance(first, str) else "")
        return {name.partition("__")[0] for name in named} | {"id", "pk"}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list under its plain name."""
        words = {
            "title": self.list_title or capfirst(str(self.opts.verbose_name_plural)),
            "add_label": self.add_label,
            "empty_words": self.empty_words,
        }
        return super().changelist_view(request, {**words, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the page of one object, or the stock read-only form where there is no such page."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            return self.refuse_unknown(request)
        if not self.page_template:
            return super().change_view(request, object_id, form_url, extra_context)
        return self.render_page(request, found, extra_context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the ledger, where the history of everything is."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            return self.refuse_unknown(request)
        return HttpResponseRedirect(reverse("admin:ledger_stream_change", args=[found.pk]))

    def refuse_unknown(self, request: HttpRequest) -> HttpResponse:
        """Send somebody back who asked for what is not there, or not theirs to see: the two look alike."""
        name = self.opts.verbose_name
        messages.warning(request, f"There is no such {name}, or it belongs to a team that you are not in.")
        return HttpResponseRedirect(reverse("admin:index"))

    def render_page(
        self, request: HttpRequest, subject: Any, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Render the page about one object."""
        own = self.page_context(request, subject)
        if "action_buttons" not in own:
            own["action_buttons"] = offered_buttons(self, request, subject)
        if "panels" not in own:
            own["panels"] = panels_for(self.opts.label_lower, request, subject)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": subject,
            "title": str(subject),
            "action_url": self.page_url("changelist"),
            **own,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)

    def page_context(self, request: HttpRequest, subject: Any) -> dict[str, Any]:
        """Return what the page's template needs beside the object; buttons and panels, too, where it has its own."""
        return {}

    def page_url(self, page: str, *args: object) -> str:
        """Return the address of one of this model's pages."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)

    def action_state(self, subject: Any) -> str:
        """Return the state that decides which actions are offered for an object."""
        return str(getattr(subject, "state", ""))
