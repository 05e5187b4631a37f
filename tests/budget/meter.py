"""A provider for many runs at once: seeded whims, and an account of what it has charged to whom."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from runs.planner.messages import encode_json
from tests.budget.allowance import request_of
from tests.runs.planner.provider import Conversation, call, completion

JSON = {"Content-Type": "application/json"}


@dataclass
class Whims:
    """Answers by dice: mostly look-ups, at times the end, a refusal for now, or a broken connection.

    ``charged`` counts tokens by trace, and ``lost`` the connections that it broke before an answer.
    """

    dice: random.Random
    answers_every: int = 6
    refuses_every: int = 25
    breaks_every: int = 25
    delay_s: float = 0.02
    charged: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._pause = threading.Event()

    def __call__(self, conversation: Conversation) -> None:
        """Play one turn."""
        body = request_of(conversation)
        with self._lock:
            trace = conversation.headers["traceparent"].split("-")[1]
            number = self.dice.randrange(1 << 30)
            usage = self._measure(body)
        self._pause.wait(self.delay_s * self.dice.random())
        if number % self.refuses_every == 0:
            conversation.send(429, b'{"error": {"message": "slow down"}}', {**JSON, "Retry-After": "0"})
        elif number % self.breaks_every == 1:
            with self._lock:
                self.lost += 1
            conversation.drop()
        else:
            with self._lock:
                self.charged[trace] += usage["total_tokens"]
            conversation.send(200, self._answer(number, usage), JSON)

    def _measure(self, body: dict[str, Any]) -> dict[str, int]:
        """Take anything from next to nothing to everything that is allowed."""
        share = self.dice.choice([0.01, 0.2, 0.5, 1.0])
        prompt = max(1, round(share * len(encode_json(body))))
        output = max(1, round(share * body["max_completion_tokens"]))
        return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}

    def _answer(self, number: int, usage: dict[str, int]) -> bytes:
        if number % self.answers_every == 2:
            return json.dumps(completion(usage=usage)).encode()
        proposed = [call(json.dumps({"order_id": f"A-{number}"}), "look_up")]
        return json.dumps(completion(message={"content": None, "tool_calls": proposed}, usage=usage)).encode()
