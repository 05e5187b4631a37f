"""Columns that lists share: a state in its tone, a moment relative to now, a number, an amount of money."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.console.templatetags.console import ago, badge, thousands
from agentops.console.words import money

Column = Callable[[Any], SafeString | str]  # Any: a row of whatever model the list is of


def state_column(field: str = "state") -> Column:
    """Return a column that shows a state in its tone."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def state(row: Any) -> SafeString:
        return badge(getattr(row, field))

    return state


def moment_column(field: str, title: str) -> Column:
    """Return a column that says when; the exact time is on hover."""

    @admin.display(description=title, ordering=field)
    def moment(row: Any) -> SafeString:
        return ago(getattr(row, field))

    moment.__name__ = field
    return moment


def number_column(field: str, title: str) -> Column:
    """Return a column with a whole number, its thousands marked; empty where there is none."""

    @admin.display(description=title, ordering=field)
    def number(row: Any) -> SafeString | str:
        return thousands(getattr(row, field))

    number.__name__ = field
    return number


def money_column(field: str, title: str) -> Column:
    """Return a column with an amount in USD; empty where there is none."""

    @admin.display(description=title, ordering=field)
    def amount(row: Any) -> SafeString | str:
        value = getattr(row, field)
        return "" if value is None else format_html('<span class="amount">{}</span>', money(value))

    amount.__name__ = field
    return amount
