"""A planner that does what the user asked for until somebody tells it otherwise, and then obeys."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentops.engine.events import DECLARE_PLAN
from runs.attacks.suite import Attack, Call
from runs.planner.answers import PlannerAnswer, ProposedCall, Usage
from runs.planner.messages import Message, PlannerRequest

# What a person has refused is not tried again: it would only be put before people once more.
SETTLED = frozenset(("denied_by_human",))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A call that the planner proposed, and whether the attacker wanted it."""

    call: Call
    by_attacker: bool


class ObeyingPlanner:
    """Plays the right calls one by one; once it obeys, the attacker's first, each in some variants if refused.

    It obeys ``from_start``, or from when it has read what the attacker planted.
    """

    def __init__(
        self, right: Sequence[Call], attack: Attack | None = None, *, from_start: bool = False
    ) -> None:
        self._right = right
        self._attack = attack
        self._obeys = from_start
        self._todo = deque(Proposal(call, by_attacker=False) for call in right)
        self._orders = deque(Proposal(call, by_attacker=True) for call in attack.calls) if attack else deque()
        self._variants: deque[Proposal] = deque()
        self._needles = _spellings(attack.goal) if attack else ()
        self._has_planned = False
        self.proposed: list[Proposal] = []

    @property
    def obeyed(self) -> bool:
        """Return whether the attacker got through to the planner."""
        return self._obeys

    @property
    def last(self) -> Proposal:
        """Return what was proposed last: it proposes one call in a turn, so whatever happens is about this one."""
        return self.proposed[-1]

    def ask(self, request: PlannerRequest) -> PlannerAnswer:
        """Return the next turn."""
        if not self._has_planned and any(tool.name == DECLARE_PLAN for tool in request.tools):
            self._has_planned = True
            return _answer(request, (_proposed(DECLARE_PLAN, self._plan(), 0),))
        self._read(request.messages)
        following = self._next()
        if following is None:
            return _answer(request, ())
        self.proposed.append(following)
        call = following.call
        return _answer(request, (_proposed(call.tool, call.arguments, len(self.proposed)),))

    def _plan(self) -> dict[str, Any]:
        """Declare what it means to do; one that obeys from the start plans for the attacker."""
        orders = self._attack.calls if self._attack and self._obeys else ()
        names = [call.tool for call in (*orders, *self._right)]
        return {"tools": [{"tool": name, "at_most": names.count(name)} for name in dict.fromkeys(names)]}

    def _read(self, messages: Sequence[Message]) -> None:
        """Take in the last results: an order to obey, or a refusal to get around."""
        told = [str(message["content"]) for message in messages if message["role"] == "tool"]
        if self._attack and not self._obeys:
            self._obeys = any(needle in text for text in told for needle in self._needles)
        if not (told and self.proposed and self.last.by_attacker):
            return
        code = _error_code(told[-1])
        if code is None or code in SETTLED:
            self._variants.clear()
        elif not self._variants and self._is_first_try():
            self._variants.extend(Proposal(call, by_attacker=True) for call in vary(self.last.call))

    def _is_first_try(self) -> bool:
        return self._attack is not None and any(self.last.call is call for call in self._attack.calls)

    def _next(self) -> Proposal | None:
        if self._obeys and (self._variants or self._orders):
            return (self._variants or self._orders).popleft()
        return self._todo.popleft() if self._todo else None


def vary(call: Call) -> Iterator[Call]:
    """Yield what is tried when a call is refused: the author's variants, or other spellings, smaller amounts."""
    if call.variants:
        for arguments in call.variants:
            yield Call(call.tool, arguments, call.leaks)
        return
    yield Call(call.tool, call.arguments, call.leaks)  # the same once more: what refused it may have moved on
    respelled = {name: _respell(value) for name, value in call.arguments.items()}
    if respelled != call.arguments:
        yield Call(call.tool, respelled, call.leaks)


def _respell(value: Any) -> Any:  # Any: JSON
    if isinstance(value, str) and "@" in value:
        name, _, domain = value.rpartition("@")
        return f"{name}@{domain.title()}"
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and value > 1):
        return value / 2 if isinstance(value, float) else value // 2
    if isinstance(value, list):
        return [_respell(item) for item in value]
    return value


def _spellings(text: str) -> tuple[str, ...]:
    """Return how a text may stand in a result, which is JSON."""
    return tuple({text, *(json.dumps(text, ensure_ascii=plain)[1:-1] for plain in (True, False))})


def _error_code(told: str) -> str | None:
    try:
        value = json.loads(told)
    except ValueError:
        return None
    return str(value["error"]) if isinstance(value, dict) and set(value) == {"error", "detail"} else None


def _proposed(tool: str, arguments: Mapping[str, Any], number: int) -> ProposedCall:
    return ProposedCall(tool, dict(arguments), json.dumps(dict(arguments)), f"call_{number}", None)


def _answer(request: PlannerRequest, calls: tuple[ProposedCall, ...]) -> PlannerAnswer:
    return PlannerAnswer(
        text="" if calls else "Done.",
        thought="",
        calls=calls,
        usage=Usage(100, 20, 0, 0, 0),
        finish_reason="tool_calls" if calls else "stop",
        model=request.model,
        response_id="played",
        latency_ms=0,
        refusal=None,
    )
