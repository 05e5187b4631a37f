"""The blast radius on an agent's page and before it is created: what it could do at worst, in words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest

from agentops.console.panels import Panel, register_panel
from agentops.console.words import count, money
from identities.models import AgentIdentity
from runs.blast_radius import read_blast_radius
from runs.worst_case import BlastRadius, Ceilings, ToolReach
from tools.caps import PERIODS

NO_CEILING = "no ceiling"
ASKED = {
    "nobody": "nobody is asked",
    "beyond_caps": "beyond the caps: {}",
    "every_time": "every time: {}",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One tool: ``cells`` say per period what can be done at most, ``alone`` what without anybody's word."""

    reach: ToolReach
    asked: str
    alone: str
    cells: list[str]


def describe_blast_radius(radius: BlastRadius) -> dict[str, Any]:
    """Return what the template shows."""
    return {
        "rows": [_row(reach) for reach in radius.tools],
        "per_day": [
            (day.currency, _money(day.alone, day.currency), _money(day.at_most, day.currency))
            for day in radius.per_day
        ],
        "models": [(per, _money(usd, "USD")) for per, usd in radius.models.items()],
        "secrets": radius.secrets,
    }


def load_blast_radius(request: HttpRequest, subject: AgentIdentity) -> dict[str, Any]:
    """Return the panel of an agent's page."""
    return describe_blast_radius(read_blast_radius(subject))


def _row(reach: ToolReach) -> Row:
    approvers = ", ".join(reach.terms.approvers) or "nobody could say yes"
    alone = "nothing" if reach.asks == "every_time" else f"{_cell(reach, reach.alone, 'day')} a day"
    cells = [_cell(reach, reach.at_most, per) for per in PERIODS]
    return Row(reach, ASKED[reach.asks].format(approvers), alone, cells)


def _cell(reach: ToolReach, ceilings: Ceilings, per: str) -> str:
    calls, terms = ceilings.calls[per], reach.terms
    words = NO_CEILING if calls is None else count(calls, "call")
    if not terms.moves_money:
        return words
    amount = _money(ceilings.amount[per], terms.currency)
    return amount if per == "call" or words == amount else f"{words}, {amount}"


def _money(amount: Decimal | None, currency: str) -> str:
    return NO_CEILING if amount is None else money(amount, currency)


register_panel(
    Panel(
        "identities.agentidentity",
        "What it could do at worst",
        "runs/blast_radius.html",
        load_blast_radius,
        26,
        size="full",
    )
)
