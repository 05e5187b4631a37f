"""The metrics there are, with their labels. Labels are names that operators gave, or words of ours: never a person's.

Names are OpenTelemetry's for generative AI, as Prometheus spells them, where there are any.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Family(NamedTuple):
    """One metric: of a histogram ``name`` is without ``_bucket``, of a counter without ``_total``."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    help: str
    labels: tuple[str, ...]


# Seconds; of a model call, of a tool, and of a whole run. The first are those that the conventions advise.
CALL_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
RUN_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)

MODEL_SECONDS = Family(
    "gen_ai_client_inference_duration_seconds", "histogram", "How long calls of models took.",
    ("gen_ai_operation_name", "gen_ai_request_model", "error_type"),
)  # fmt: skip
MODEL_TOKENS = Family(
    "gen_ai_client_inference_usage_tokens", "counter", "Tokens of model calls; cached ones are a part of the input.",
    ("gen_ai_request_model", "gen_ai_token_type"),
)  # fmt: skip
MODEL_USD = Family(
    "agentops_model_cost_usd", "counter", "What model calls cost, by the prices in force.", ("gen_ai_request_model",)
)  # fmt: skip
TOOL_SECONDS = Family(
    "gen_ai_execute_tool_duration_seconds", "histogram", "How long attempts of tools took.",
    ("gen_ai_tool_name", "agentops_outcome"),
)  # fmt: skip
CALLS_REFUSED = Family(
    "agentops_calls_refused", "counter", "Proposed calls that were not made.", ("gen_ai_tool_name", "code")
)  # fmt: skip
RUN_SECONDS = Family(
    "gen_ai_invoke_agent_duration_seconds", "histogram", "How long runs took that have ended, waiting included.",
    ("team", "agent", "state"),
)  # fmt: skip
APPROVALS_DECIDED = Family(
    "agentops_approvals_settled", "counter", "Requests for approval that were settled.", ("gen_ai_tool_name", "outcome")
)  # fmt: skip
ENTRIES = Family("agentops_ledger_entries", "counter", "Entries in the streams of runs.", ("kind",))

RUNS = Family("agentops_runs", "gauge", "Runs that go on, by state.", ("team", "agent", "state"))
LATENESS = Family(
    "agentops_oldest_due_run_seconds", "gauge", "How late the run is that waits longest for a worker.", ()
)  # fmt: skip
WAITING = Family(
    "agentops_approvals_waiting", "gauge", "Requests for approval that wait for people.", ("team",)
)
WAITING_SECONDS = Family(
    "agentops_approvals_oldest_waiting_seconds", "gauge", "How long the oldest of them has waited.", ("team",)
)  # fmt: skip
BREAKERS = Family(
    "agentops_breaker_state", "gauge", "1 for the state that a tool's breaker is in.",
    ("team", "gen_ai_tool_name", "state"),
)  # fmt: skip
MODEL_BREAKERS = Family(
    "agentops_model_breaker_state", "gauge", "1 for the state that the breaker of a model that may be asked is in.",
    ("gen_ai_provider_name", "gen_ai_request_model", "state"),
)  # fmt: skip
UNCOUNTED = Family(
    "agentops_uncounted_runs", "gauge", "Runs whose latest entries are in no counter yet.", ()
)  # fmt: skip
UNTOLD = Family(
    "agentops_span_export_runs_failing", "gauge", "Runs that the collector of spans has not taken yet, after a try.", ()
)  # fmt: skip

COUNTED = (
    MODEL_SECONDS, MODEL_TOKENS, MODEL_USD, TOOL_SECONDS, CALLS_REFUSED, RUN_SECONDS, APPROVALS_DECIDED, ENTRIES,
)  # fmt: skip
GAUGES = (RUNS, LATENESS, WAITING, WAITING_SECONDS, BREAKERS, MODEL_BREAKERS, UNCOUNTED, UNTOLD)


def buckets_of(family: Family) -> tuple[float, ...]:
    """Return the upper bounds of a histogram's buckets in seconds, without the last one, which has none."""
    return RUN_BUCKETS if family is RUN_SECONDS else CALL_BUCKETS
