"""The dashboard asks for what is exposed, by labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runs.metrics import families
from runs.metrics.exposing import Everything
from tests.runs.company import Company

pytestmark = pytest.mark.otel

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "agentops.json").read_text())
NAME = re.compile(r"\b(?:agentops|gen_ai)_[a-z_]+(?={)")
BY = re.compile(r"sum by \(([^)]*)\)")
MATCHED = re.compile(r"([a-z_]+)(?:=~|!=|=)\"")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
EXPOSED = {
    each.name + suffix: each for each in families.COUNTED + families.GAUGES for suffix in SUFFIXES[each.kind]
}


def expressions(panels: list[dict[str, Any]]) -> Iterator[str]:  # Any: JSON
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", ()))


EXPRESSIONS = [*expressions(DASHBOARD["panels"])]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_asked_for_is_exposed(expression: str) -> None:
    (name,) = set(NAME.findall(expression))
    assert name in EXPOSED
    asked = {label.strip() for listed in BY.findall(expression) for label in listed.split(",")}
    asked |= set(MATCHED.findall(expression))
    assert asked <= {*EXPOSED[name].labels, "le", "job"}


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {EXPOSED[name].name for expression in EXPRESSIONS for name in NAME.findall(expression)}
    assert asked == {each.name for each in EXPOSED.values()}


def test_what_is_declared_is_what_is_exposed(company: Company) -> None:
    declared = {each.name for each in EXPOSED.values()}
    assert {metric.name for metric in Everything().collect()} == declared


def test_every_metric_is_described() -> None:
    text = (ROOT / "docs" / "telemetry.md").read_text()
    missing = [
        each.name
        for each in EXPOSED.values()
        if f"`{each.name}{'_total' if each.kind == 'counter' else ''}`" not in text
    ]
    assert missing == []


def test_panels_do_not_lie_on_each_other() -> None:
    taken = [
        (column, line)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
