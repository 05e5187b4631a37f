"""The campaign's client: it starts runs through the REST API and insists until each start is acknowledged."""

from __future__ import annotations

import random
import threading
import time
from typing import Self
from uuid import UUID

import httpx2
import psycopg

from runs.chaos.arena import Arena
from runs.chaos.work import Order, draw_order

# How long one start is tried: the web server may be dead, or starting.
PATIENCE_S = 90.0


class Refused(Exception):
    """The API refused what it must not refuse, or stayed away for too long."""


class Client:
    """Starts runs; ``started`` holds what the acknowledged ones were ordered to do."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._http = httpx2.Client(timeout=10)
        self.started: dict[UUID, Order] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def start_run(self, order: Order) -> UUID:
        """Start the order's run, once however often it has to be asked for; return its id."""
        script = order.script(self._arena.timing.model_delay_s)
        self._http.put(f"{self._arena.planner_url}/scripts/{order.name}", json=script).raise_for_status()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._post(order)
            if answer is not None and answer.status_code == 201:
                break
            if answer is not None and answer.status_code not in (409, 500, 503):
                raise Refused(f"the start of {order.name} was refused: {answer.status_code} {answer.text}")
            if time.monotonic() > deadline:
                raise Refused(f"{order.name} could not be started within {PATIENCE_S:.0f} s")
            time.sleep(0.2)
        run = UUID(answer.json()["id"])
        self.started[run] = order
        return run

    def _post(self, order: Order) -> httpx2.Response | None:
        """Ask once; None when there was no answer. The key makes a repetition harmless."""
        body = {
            "agent": "chaos",
            "message": order.message,
            "principal": {"issuer": "https://chaos.example", "subject": order.name},
        }
        headers = {"Authorization": f"Bearer {self._arena.api_key}", "Idempotency-Key": order.name}
        try:
            return self._http.post(f"{self._arena.web_url}/api/v1/runs", json=body, headers=headers)
        except httpx2.TransportError:
            return None


class Feeder(threading.Thread):
    """Keeps a number of runs going within the ``with`` block; at its end the last start is acknowledged.

    Raises Refused there if a run could not be started.
    """

    def __init__(self, arena: Arena, client: Client, *, going: int, seed: int) -> None:
        super().__init__(name="feeder", daemon=True)
        self._arena = arena
        self._client = client
        self._going = going
        self._dice = random.Random(seed)  # noqa: S311  a campaign can be repeated
        self._stopping = threading.Event()
        self._error: Refused | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        """Start a run whenever there are too few."""
        while not self._stopping.wait(0.05):
            try:
                if self._arena.count_going() < self._going:
                    self._client.start_run(draw_order(len(self._client.started) + 1, self._dice))
            except psycopg.OperationalError:
                continue  # the database is among those that are killed
            except Refused as error:  # for whoever waits for the end of this thread
                self._error = error
                return
