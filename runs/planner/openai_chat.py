"""The planner behind any OpenAI-compatible Chat Completions endpoint."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from runs.planner.answers import PlannerAnswer, PlannerFailure
from runs.planner.completion import read_completion
from runs.planner.messages import PlannerRequest, encode_request

DEFAULT_BASE_URL = "https://api.openai.com/v1"


class OpenAIPlanner:
    """Ask a model over HTTP, once per `ask`: retries belong to the driver.

    Cheap to build; connections are shared by all planners of a process with the same endpoint and key.
    `total_timeout_s` is a ceiling over each request's own timeout; only name resolution is outside of it.
    Proxy variables of the environment are not read: pass `proxy_url`. Raises ValueError for bad settings.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        connect_timeout_s: float = 5.0,
        total_timeout_s: float = 60.0,
        proxy_url: str | None = None,
    ) -> None:
        self._key = client_key(base_url, api_key, proxy_url)
        self._connect_timeout_s = connect_timeout_s
        self._total_timeout_s = total_timeout_s

    def ask(self, request: PlannerRequest) -> PlannerAnswer | PlannerFailure:
        """Return the model's turn, or what went wrong; never raises for anything a provider does."""
        from runs.planner.client import post  # loads openai

        try:
            body = encode_request(request)
        except (TypeError, ValueError) as error:
            # Only the kind of error: its text would quote the prompt.
            detail = f"the request cannot be encoded ({type(error).__name__})"
            return PlannerFailure("planner_request_invalid", detail, False, None, "none")
        started = time.monotonic()
        outcome = post(
            self._key,
            "/chat/completions",
            body,
            trace=request.trace,
            connect_timeout_s=self._connect_timeout_s,
            total_timeout_s=min(request.timeout_s, self._total_timeout_s),
        )
        if isinstance(outcome, PlannerFailure):
            return outcome
        return read_completion(outcome, latency_ms=round((time.monotonic() - started) * 1000))


def client_key(base_url: str, api_key: str, proxy_url: str | None = None) -> tuple[str, str, str | None]:
    """Return the key of the client of an endpoint; raises ValueError for settings that cannot be meant."""
    _check_url(base_url)
    # A line break from a secrets file would otherwise show up as a protocol error in every call.
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError("the API key is empty or has characters that no key has")
    return base_url, api_key, proxy_url


def _check_url(base_url: str) -> None:
    url = urlsplit(base_url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("the planner's base URL must be http or https with a host")
    if url.username or url.password:
        raise ValueError("the planner's base URL must not hold credentials")
