"""Tools of a test company. They record what they do to the world, and misbehave as a test tells them to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agentops.errors import OutcomeUnknown, Permanent, Transient
from tools.calls import CallContext

Result = dict[str, Any]
# What happens instead of the plain act: it is given the act, and may do it, fail, or wait.
Mishap = Callable[[Callable[[], Result]], Result]


@dataclass
class World:
    """What was asked of the tools and what they did; ``mishaps`` are played one per attempt, in order."""

    attempts: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    callers: list[CallContext] = field(default_factory=list)
    mishaps: deque[Mishap] = field(default_factory=deque)
    lock: threading.RLock = field(default_factory=threading.RLock)
    honours_keys: bool = True
    shelf: list[dict[str, Any]] = field(
        default_factory=list
    )  # orders, each with the ``owner`` who may see it

    def act(self, name: str, call: CallContext, result: Result) -> Result:
        """Make one attempt: note it, play the next mishap, or simply do it."""
        with self.lock:
            self.attempts.append(name)
            self.callers.append(call)
            mishap = self.mishaps.popleft() if self.mishaps else None

        def do() -> Result:
            with self.lock:
                if not (self.honours_keys and call.key in self.effects):
                    self.effects.append(call.key)
            return result

        return mishap(do) if mishap else do()

    def reset(self) -> None:
        """Forget everything; a mishap of another test must not reach the next."""
        self.attempts.clear()
        self.effects.clear()
        self.callers.clear()
        self.mishaps.clear()
        self.honours_keys = True
        self.shelf.clear()
        ACCOUNT.clear()
        ACCOUNT.update(FRESH_ACCOUNT)


WORLD = World()
# What a refund changes, and others may change meanwhile.
FRESH_ACCOUNT: Result = {"status": "delivered", "refunded": "0.00", "version": 1}
ACCOUNT: dict[str, Any] = dict(FRESH_ACCOUNT)


def look_up(order_id: str, call: CallContext) -> Result:
    with WORLD.lock:
        WORLD.attempts.append("look_up")
        WORLD.callers.append(call)
        mishap = WORLD.mishaps.popleft() if WORLD.mishaps else None
    found = {"order": order_id, "status": "delivered"}
    return mishap(lambda: found) if mishap else found


def say_turned(order_id: str, call: CallContext) -> Result:
    """Answer in words that do not read as they stand."""
    return {"note": "The tool \u202e00.52\u2069\u200b"}


def read_account(order_id: str, call: CallContext) -> Result:
    with WORLD.lock:
        WORLD.attempts.append("read_account")
        WORLD.callers.append(call)
        mishap = WORLD.mishaps.popleft() if WORLD.mishaps else None
    found = dict(ACCOUNT)
    return mishap(lambda: found) if mishap else found


def find_orders(call: CallContext, text: str = "") -> Result:
    """List the principal's own orders, those of them that have any of the words."""
    with WORLD.lock:
        WORLD.attempts.append(f"find_orders {text}".strip())
        WORLD.callers.append(call)
        mishap = WORLD.mishaps.popleft() if WORLD.mishaps else None
    own = [order for order in WORLD.shelf if order["owner"] == call.principal_subject]
    words = text.casefold().split()
    found = [o for o in own if not words or any(word in o["summary"].casefold() for word in words)]
    return mishap(lambda: {"orders": found}) if mishap else {"orders": found}


def refund(order_id: str, call: CallContext, amount: str = "1.00") -> Result:
    return WORLD.act("refund", call, {"refunded": order_id, "amount": amount})


def cancel(order_id: str, call: CallContext) -> Result:
    return WORLD.act("cancel", call, {"cancelled": order_id})


def send_email(to: str, text: str, call: CallContext) -> Result:
    return WORLD.act("send_email", call, {"sent": to})


def send_money(iban: str, amount: str, call: CallContext) -> Result:
    return WORLD.act("send_money", call, {"paid": iban})


def noop(turn: int, padding: str) -> Result:
    return {"ok": True, "turn": turn}


def recall(call: CallContext) -> Result:
    """Say what became of a key."""
    with WORLD.lock:
        if call.key in WORLD.effects:
            return {"recorded": call.key}
    raise Permanent("not_executed", "never seen")


def forget(call: CallContext) -> Result:
    """Be unable to say what became of a key."""
    raise Transient("busy", "try later")


# --- mishaps --------------------------------------------------------------------------------------------


def busy(do: Callable[[], Result]) -> Result:
    """Fail without an effect; another attempt may succeed."""
    raise Transient("busy", "try later")


def refuse(do: Callable[[], Result]) -> Result:
    """Refuse for good, without an effect."""
    raise Permanent("not_refundable", "the order is too old")


def lose_reply(do: Callable[[], Result]) -> Result:
    """Have the effect and lose the answer."""
    do()
    raise OutcomeUnknown("reply_lost", "the connection broke")


def lose_request(do: Callable[[], Result]) -> Result:
    """Have no effect, and leave the caller in doubt."""
    raise OutcomeUnknown("reply_lost", "the connection broke")


def meanwhile(happens: Callable[[], object]) -> Mishap:
    """Let something happen while the tool is at work, then act."""

    def act(do: Callable[[], Result]) -> Result:
        happens()
        return do()

    return act
