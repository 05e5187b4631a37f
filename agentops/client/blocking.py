"""The client, blocking. Written from waiting.py by ``write_openapi``: do not edit."""

from __future__ import annotations

import time
import json
from collections.abc import Generator, Callable, Collection
from contextlib import closing
from time import monotonic
from types import TracebackType
from typing import Any, Self

import httpx2

from agentops.client import types as t
from agentops.client.calls import Call, pause_before_next
from agentops.client.errors import ApiError
from agentops.client.operations import Operations
from agentops.client.rests import FOR_THE_APPLICATION, is_at_rest, may_rest_after

STREAM = "text/event-stream"
KEEP_ALIVE_S = 15.0  # how often a stream says at least something
LONGEST_SILENCE_S = 2 * KEEP_ALIVE_S


class Client(Operations):
    """All operations of the API, and what takes several calls: following a run, waiting for it, turning pages.

    `address`: of the platform, without ``/api/v1``. `key`: an API key or access token, or what returns the one to use
    now. A call that may be repeated is sent up to `retries` times more when its answer is lost or comes too early.
    Every method raises `ApiError` for what the API refuses, and httpx2.TransportError when it cannot be reached.
    """

    def __init__(
        self,
        address: str,
        key: str | Callable[[], str],
        *,
        retries: int = 3,
        timeout_s: float = 30.0,
        http: httpx2.Client | None = None,
    ) -> None:
        self._address, self._key, self._retries = address.rstrip("/"), key, retries
        self._http = http or httpx2.Client(timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def follow(self, run_id: str, *, after: int = 0) -> Generator[t.Event, None]:
        """Yield a run's events behind the entry `after` until it has ended; a broken stream is taken up again."""
        with closing(self._listen(run_id, after, None)) as events:
            for event in events:
                if event is not None:
                    yield event

    def wait(
        self,
        run_id: str,
        *,
        returns_on: Collection[str] = FOR_THE_APPLICATION,
        timeout_s: float | None = None,
    ) -> t.RunDetail:
        """Return a run as soon as it has ended, or waits for something of these types.

        By default it goes on waiting while people decide about approvals, and returns for what the application is
        asked: ``input`` and ``confirmation``. Raises TimeoutError.
        """
        run = self.get_run(run_id)
        if is_at_rest(run, returns_on):
            return run
        until = None if timeout_s is None else monotonic() + timeout_s
        with closing(self._listen(run_id, 0, until)) as events:
            for event in events:
                if event is None or may_rest_after(event):
                    run = self.get_run(run_id)
                    if is_at_rest(run, returns_on):
                        return run
        return self.get_run(run_id)

    def pages(
        self, operation: Callable[..., Any], *path: str, **query: Any
    ) -> Generator[Any, None]:
        """Yield the rows of all pages: ``pages(client.list_runs, state="completed")``."""
        more, cursor = True, None
        while more:
            page = operation(*path, cursor=cursor, **query)
            for row in page["data"]:
                yield row
            more, cursor = page["has_more"], page["next_cursor"]

    def _answer(self, call: Call) -> Any:
        failures = 0
        while True:
            try:
                return self._send(call)
            except (ApiError, httpx2.TransportError) as problem:
                failures += 1
                pause = self._pause(call, failures, problem)
            time.sleep(pause)

    def _pause(self, call: Call, failures: int, problem: ApiError | httpx2.TransportError) -> float:
        """Return in how many seconds to try again; raises the problem where that is of no use."""
        pause = pause_before_next(call, failures, problem) if failures <= self._retries else None
        if pause is None:
            raise problem
        return pause

    def _send(self, call: Call) -> Any:
        headers = {**self._credential(), **call.said()}
        answer = self._http.request(
            call.method, self._address + call.address, params=call.asked(), headers=headers, json=call.body
        )
        if not answer.is_success:
            raise ApiError.of(answer)
        return json.loads(answer.content) if answer.content else None

    def _listen(
        self, run_id: str, after: int, until: float | None
    ) -> Generator[t.Event | None, None]:
        """Yield a run's events, and None where nothing is new; raises TimeoutError."""
        call, failures = Call("GET", Call.path("/api/v1/runs/{run_id}/events", run_id)), 0
        while True:
            pause = 0.0
            try:
                with closing(self._lines(call, after, until)) as lines:
                    for line in lines:
                        if line is None:
                            return
                        failures = 0
                        if line.startswith("data:"):
                            event: t.Event = json.loads(line.removeprefix("data:"))
                            after = event["seq"]
                            yield event
                        elif line.startswith(":"):
                            yield None
            except (ApiError, httpx2.TransportError) as problem:
                failures += 1
                pause = self._pause(call, failures, problem)
            if until is not None and monotonic() + pause >= until:
                raise TimeoutError(f"run {run_id} neither ended nor waited for its application in time")
            time.sleep(pause)

    def _lines(self, call: Call, after: int, until: float | None) -> Generator[str | None, None]:
        """Yield the lines of one stream, None after the last; returns early when the end of the wait is near."""
        headers = {**self._credential(), **call.said(), "Accept": STREAM, "Last-Event-ID": str(after)}
        left = None if until is None else max(until - monotonic(), 0.001)
        silence = min(left or LONGEST_SILENCE_S, LONGEST_SILENCE_S)
        timeout = httpx2.Timeout(**{**self._http.timeout.as_dict(), "read": silence})
        address = self._address + call.address
        with self._http.stream("GET", address, headers=headers, timeout=timeout) as answer:
            if answer.status_code == 204:
                yield None
                return
            if not answer.is_success:
                answer.read()
                raise ApiError.of(answer)
            try:
                for line in answer.iter_lines():
                    yield line
                    if until is not None and until - monotonic() < KEEP_ALIVE_S:
                        return  # whoever comes back now waits for a shorter silence
            except httpx2.ReadTimeout:
                if until is None:
                    raise
                return
        raise httpx2.RemoteProtocolError("the stream ended before the run did")

    def _credential(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key if isinstance(self._key, str) else self._key()}"}
