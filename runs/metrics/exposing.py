"""Metrics as Prometheus reads them, for whoever shows the token. Without a token set there is nothing here."""

from __future__ import annotations

import hmac
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import accumulate

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from runs.metrics import families as f
from runs.metrics.families import Family
from runs.metrics.standing import read_standing
from runs.models import Count

Sums = dict[str, dict[tuple[str, ...], float]]  # by metric and labels


@require_safe
def serve_metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics; 401 without the token, 404 where none is set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    shown = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(shown, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})
    registry = CollectorRegistry()
    registry.register(Everything())
    return HttpResponse(
        generate_latest(registry), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"}
    )


class Everything(Collector):
    """Reads what was counted, and how things stand."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; one of which nothing is known yet has no samples."""
        sums = _read_sums()
        for family in f.COUNTED:
            yield _histogram(family, sums) if family.kind == "histogram" else _counter(family, sums)
        gauges = {each: GaugeMetricFamily(each.name, each.help, labels=each.labels) for each in f.GAUGES}
        for family, labels, value in read_standing():
            gauges[family].add_metric(labels, value)
        yield from gauges.values()

    def describe(self) -> list[Metric]:
        """Return nothing: to register asks the database nothing."""
        return []


def _read_sums() -> Sums:
    found: Sums = defaultdict(dict)
    for metric, labels, value in Count.objects.values_list("metric", "labels", "value"):
        found[metric][tuple(json.loads(labels))] = float(value)
    return found


def _counter(family: Family, sums: Sums) -> Metric:
    made = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in sorted(sums[family.name].items()):
        made.add_metric(labels, value)
    return made


def _histogram(family: Family, sums: Sums) -> Metric:
    made = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*map(str, f.buckets_of(family)), "+Inf"]
    counted = sums[f"{family.name}_bucket"]
    for labels, total in sorted(sums[f"{family.name}_sum"].items()):
        below = accumulate(counted.get((*labels, bound), 0.0) for bound in bounds)
        made.add_metric(labels, list(zip(bounds, below, strict=True)), total)
    return made
