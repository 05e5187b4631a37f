"""Budgets with what is committed of them now, and the prices that models are metered by."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.console.actions import Confirmation, perform
from agentops.console.columns import moment_column, money_column, number_column
from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import Destination, register_destination
from agentops.console.pictures import draw_bar
from agentops.console.streams import register_streams
from agentops.console.words import money, this_window
from identities.acting import acting_person
from runs.admin.spending import budgets_visible_to, read_committed
from runs.models import Budget, BudgetWindow, Price
from runs.routing.breakers import look_at
from runs.routing.providers import find_target
from runs.routing.services import may_reset, reset_model_breaker


@admin.register(Budget)
class BudgetAdmin(GovernedAdmin):
    """The budgets of the viewer's teams and of their agents; they are set by ``apply``."""

    limit = staticmethod(money_column("max_usd", "limit"))
    most_tokens = staticmethod(number_column("max_tokens", "tokens at most"))
    most_steps = staticmethod(number_column("max_steps", "steps at most"))
    set_at = staticmethod(moment_column("created_at", "set"))
    list_display = ("whose", "window", "used", "limit", "most_tokens", "most_steps")
    list_filter = ("window", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "identity")
    ordering = ("team__slug", "identity__slug", "window")
    fields = readonly_fields = (
        "team", "identity", "window", "used", "limit", "most_tokens", "most_steps", "set_at",
    )  # fmt: skip
    actions = None

    @admin.display(description="budget of")
    def whose(self, budget: Budget) -> str:
        """Name the agent, or the team whose budget it is."""
        return str(budget.identity or f"all of {budget.team}")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Load the windows that are open now with the rows."""
        return read_committed(super().get_queryset(request))

    def visible(self, queryset: Any, user: Any) -> QuerySet[Budget]:
        """Limit budgets to those of the viewer's teams."""
        return budgets_visible_to(user)

    @admin.display(description="used now")
    def used(self, budget: Any) -> SafeString:
        """Draw what is committed; Any: the windows are prefetched onto the row."""
        windows: list[BudgetWindow] = budget.open_windows
        committed = windows[0].committed_usd if windows else Decimal(0)
        words = f"{money(committed)} committed {this_window(budget.window)}"
        return format_html(
            '{}<span class="small">{}</span>', draw_bar(committed, budget.max_usd, words), words
        )


@admin.register(Price)
class PriceAdmin(GovernedAdmin):
    """What models cost, per million tokens; the same for every team."""

    rate_in = staticmethod(money_column("input_usd_per_mtok", "a million tokens in"))
    rate_out = staticmethod(money_column("output_usd_per_mtok", "a million tokens out"))
    rate_cached = staticmethod(money_column("cached_input_usd_per_mtok", "a million read from the cache"))
    rate_written = staticmethod(money_column("cache_write_usd_per_mtok", "a million written to the cache"))
    set_at = staticmethod(moment_column("created_at", "set"))
    list_display = ("model", "version", "active", "rate_in", "rate_out", "set_at")
    fields = readonly_fields = (
        "model", "version", "active", "rate_in", "rate_out", "rate_cached", "rate_written", "set_at", "circuit",
    )  # fmt: skip
    list_filter = ("active",)
    search_fields = ("model", "version")
    ordering = ("model", "-created_at")
    actions = ("close_circuit",)

    def visible(self, queryset: Any, user: Any) -> QuerySet[Price]:
        """Let everybody on the staff see prices."""
        return Price.objects.all()

    @admin.display(description="circuit")
    def circuit(self, price: Price) -> str:
        """Say whether calls go out to the model, as all workers see it."""
        target = find_target(price.model)
        seen = look_at(target)
        until = f" until {seen.retry_at:%H:%M:%S} UTC" if seen.state == "open" and seen.retry_at else ""
        state = seen.state.replace("_", "-")
        return f"{state}{until}; {seen.failures} of {seen.calls} calls failed lately ({target.provider})"

    def has_reset_permission(self, request: HttpRequest) -> bool:
        """Whether this person may have a model asked again before its breaker would."""
        return may_reset(acting_person(request))

    @admin.action(permissions=["reset"], description="Close the circuit")
    def close_circuit(self, request: HttpRequest, queryset: QuerySet[Price]) -> HttpResponse:
        """Close breakers of models and forget their failures."""
        person = acting_person(request)
        asked = Confirmation("Have these models asked again at once?", "asked again", reason="none")
        return perform(
            self, request, queryset, lambda price, _: reset_model_breaker(actor=person, price=price), asked
        )


register_destination(Destination("Budgets", "admin:runs_budget_changelist", order=70, section="Govern"))
register_destination(Destination("Prices", "admin:runs_price_changelist", order=75, section="Govern"))
register_streams("budget", budgets_visible_to)
