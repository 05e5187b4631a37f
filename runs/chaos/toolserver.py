"""``python -m runs.chaos.toolserver``: a tool server whose effects are counted.

========================  ==================================================================================
``POST /effects``         makes the effect that the body names, ``{"effect": "…"}``, under its Idempotency-Key
``GET /effects/KEY``      200 if the key has had its effect, 409 while a request under it is at work, else 404
``POST /trap/catch``      sets the trap, ``{"side": "before" | "after", "timeout_s": 5}``; answers with the
                          key of the request that it holds, or with 204
``GET /trap``             whether it is set, and how many repetitions of the held request there are
``POST /trap/release``    ``{"verdict": "go" | "drop" | "break"}``: go on, no answer at all, or 500
========================  ==================================================================================

With ``--keys honoured`` a key has one effect at the most; otherwise every request is an effect.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from agentops.runtime.ports import LOOPBACK
from runs.chaos.effects import Effect, EffectFile
from runs.chaos.trap import Trap, Verdict

Body = dict[str, Any]  # Any: JSON


class ToolServer(ThreadingHTTPServer):
    """The server's effects, what is at work in it, and its trap."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, effects: EffectFile, *, honours_keys: bool) -> None:
        super().__init__((LOOPBACK, port), Requests)
        self.effects = effects
        self.honours_keys = honours_keys
        self.trap = Trap()
        self._at_work: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def working(self, key: str) -> Iterator[None]:
        """Say that a request under the key is at work, so that nobody is told "no effect is on its way"."""
        with self._lock:
            self._at_work[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._at_work[key] -= 1

    def is_at_work(self, key: str) -> bool:
        """Return whether a request under the key is at work."""
        with self._lock:
            return self._at_work[key] > 0

    def make_effect(self, effect: Effect) -> Effect | Verdict:
        """Make the effect; return the one that now stands under its key, or what becomes of the answer instead."""
        with self.working(effect.key):
            if (verdict := self.trap.pass_by(effect.key, "before")) != "go":
                return verdict
            if self.honours_keys:
                effect = self.effects.perform_once(effect)
            else:
                self.effects.perform(effect)
            if (verdict := self.trap.pass_by(effect.key, "after")) != "go":
                return verdict
            return effect


class Requests(BaseHTTPRequestHandler):
    """One connection."""

    server: ToolServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Make an effect, or handle the trap."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/effects":
            self._make_effect(body)
        elif self.path == "/trap/catch":
            hold = self.server.trap.catch(body["side"], body["timeout_s"])
            self._answer(200, {"key": hold.key}) if hold else self._answer(204)
        elif self.path == "/trap/release":
            self.server.trap.release(body["verdict"])
            self._answer(204)
        else:
            self._answer(404, {"detail": "no such address"})

    def do_GET(self) -> None:
        """Say what is known about a key, or about the trap."""
        if self.path == "/trap":
            self._answer(200, self.server.trap.describe())
            return
        key = unquote(self.path.removeprefix("/effects/"))
        # In this order: whatever ends its work in between has left its effect.
        at_work = self.server.is_at_work(key)
        effect = self.server.effects.find(key)
        if effect is not None:
            self._answer(200, {"effect": effect.effect})
        elif at_work:
            self._answer(409, {"detail": "a request under this key is at work"})
        else:
            self._answer(404, {"detail": "no effect under this key"})

    def _make_effect(self, body: Body) -> None:
        made = self.server.make_effect(Effect(body["effect"], self.headers["Idempotency-Key"]))
        if isinstance(made, Effect):
            self._answer(200, {"effect": made.effect})
        elif made == "break":
            self._answer(500, {"detail": "something broke"})
        else:
            self.close_connection = True

    def _answer(self, status: int, body: Body | None = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        with contextlib.suppress(ConnectionError):  # whoever asked has been killed
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: the file of effects is the record."""

    def finish(self) -> None:
        """Close the connection; a killed worker may have been faster."""
        with contextlib.suppress(ConnectionError):
            super().finish()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m runs.chaos.toolserver")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True, help="where the effects are written down")
    parser.add_argument("--keys", choices=["honoured", "ignored"], required=True)
    arguments = parser.parse_args()
    effects = EffectFile(arguments.file)
    ToolServer(arguments.port, effects, honours_keys=arguments.keys == "honoured").serve_forever()


if __name__ == "__main__":
    main()
