"""How the inbox is narrowed: read from an address, said again as one, applied to requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db.models import BooleanField, Exists, OuterRef, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from approvals.behind import WORDS
from approvals.models import ApprovalDecision, ApprovalRequest
from tools.findings import DOUBTS
from tools.models import Effect

TABS = {"waiting": "Waiting", "decided": "Decided"}
AGES = {"5m": ("5 minutes", timedelta(minutes=5)), "1h": ("an hour", timedelta(hours=1)),
        "1d": ("a day", timedelta(days=1))}  # fmt: skip
DOUBTFUL = {"yes": "doubtful", "no": "without doubt"}
EFFECTS = {effect.value: effect.label for effect in (Effect.REVERSIBLE, Effect.IRREVERSIBLE)}
LARGEST = Decimal(10) ** 15
# What was found about where values come from is a fact of the request's first entry.
_DOUBTED = """EXISTS (SELECT FROM ledger_entry e WHERE e.stream = approvals_approvalrequest.id AND e.seq = 1
    AND e.facts -> 'reasons' ?| %s::text[])"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What was chosen; empty is everything."""

    tab: str = "waiting"
    agent: str = ""
    tool: str = ""
    effect: str = ""
    doubt: str = ""
    age: str = ""
    least: str = ""
    most: str = ""
    by: str = ""
    team: str = ""
    said: str = ""  # what a number of the oversight report counts
    week: str = ""

    @property
    def query(self) -> str:
        """Return this view as a query string, so that a link can lead back to it."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    @property
    def more(self) -> int:
        """Return how many of those are set that are folded away."""
        return sum(bool(value) for value in (self.effect, self.doubt, self.age, self.least, self.most))

    def narrow(self, rows: QuerySet[ApprovalRequest]) -> QuerySet[ApprovalRequest]:
        """Return the requests that fit; for ``doubt`` they have to be annotated with ``is_doubted``."""
        if self.agent:
            rows = rows.filter(identity__slug=self.agent)
        if self.tool:
            rows = rows.filter(tool__name=self.tool)
        if self.effect:
            rows = rows.filter(effect=self.effect)
        if self.least:
            rows = rows.filter(amount__gte=Decimal(self.least))
        if self.most:
            rows = rows.filter(amount__lte=Decimal(self.most))
        if self.team:
            rows = rows.filter(team__slug=self.team)
        if self.by and not self.said:
            rows = rows.filter(
                Exists(ApprovalDecision.objects.filter(request=OuterRef("pk"), decided_by__username=self.by))
            )
        if self.age:
            rows = rows.filter(created_at__lte=timezone.now() - AGES[self.age][1])
        if self.doubt:
            annotated: Any = rows  # Any: the stubs know no annotation
            rows = annotated.filter(is_doubted=self.doubt == "yes")
        return rows


def is_doubted() -> RawSQL:
    """Return the condition that it is doubtful where a value of a request comes from."""
    return RawSQL(_DOUBTED, [sorted(DOUBTS)], output_field=BooleanField())  # noqa: S611  constants


def read_filters(given: Mapping[str, str]) -> Filters:
    """Return what an address asks for; what is none of ours asks for nothing."""

    def one_of(name: str, known: Iterable[str]) -> str:
        value = given.get(name, "")
        return value if value in known else ""

    return Filters(
        tab=one_of("tab", TABS) or "waiting",
        agent=given.get("agent", "")[:80],
        tool=given.get("tool", "")[:80],
        effect=one_of("effect", EFFECTS),
        doubt=one_of("doubt", DOUBTFUL),
        age=one_of("age", AGES),
        least=_read_amount(given.get("least", "")),
        most=_read_amount(given.get("most", "")),
        by=given.get("by", "")[:150],
        team=given.get("team", "")[:50],
        said=one_of("said", WORDS),
        week=one_of("week", ("1", "2", "3", "4")),
    )


def read_query(query: str) -> Filters:
    """Return the filters that a query string holds."""
    return read_filters(dict(parse_qsl(query)))


def _read_amount(text: str) -> str:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        return ""
    return f"{amount:f}" if amount.is_finite() and abs(amount) < LARGEST and len(text) < 40 else ""
