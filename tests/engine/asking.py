"""A driver that asks: staff to approve, the end user to confirm, a person whether the run goes on at its limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.commands import Command
from agentops.engine.state import CallState
from tests.engine.people import MOST_MORE
from tests.engine.world import EFFECTS, IDEMPOTENCY, LIFE, Facts
from tests.engine.writing import Writer


class Asking(Writer):
    """What a call or a run waits for, and what the driver notes once it was said."""

    def terms_of(self, call: CallState) -> Facts:
        known = bool(call.effect)  # a tool's version declares these once
        return {
            "tool_version": "v1",
            "effect": EFFECTS[call.tool],
            "idempotency": call.idempotency if known else self.dice.choice(IDEMPOTENCY),
            "max_attempts": 3,
            "backoff_base_ms": 500,
            "backoff_cap_ms": 30_000,
            "on_unknown": call.on_unknown if known else self.dice.choice(("wait", "halt")),
            "on_breaker_open": call.on_breaker_open if known else self.dice.choice(("wait", "skip", "halt")),
            **self._join(call),
        }

    def _join(self, call: CallState) -> Facts:
        joins: tuple[list[Any], ...] = ([], ["all", "any", 1], ["all", "quorum", 1], ["all", "quorum", 2])
        join = joins[self.view.step % 4]  # of a tool, once
        return {"join": join} if join and call.tool == "ask_agent" else {}

    def gate(self, command: Command, call: CallState) -> None:
        self.commit()  # what has happened so far is evidence
        request = {"approval": f"a{len(self.events)}", "expires_at": (self.now + LIFE).isoformat()}
        where = {"step": self.view.step, "call": call.number}
        self.note(e.CALL_GATED, command, **where, **self.terms_of(call), **request)
        self.commit()

    def confirm(self, command: Command, call: CallState) -> None:
        """Ask the end user; not about what was proposed before they wrote."""
        self.commit()
        where: Facts = {"step": self.view.step, "call": call.number}
        if self.view.unread:
            self.note(e.CALL_REFUSED, command, **where, code="confirmation_voided")
            return
        request = {"confirmation": f"c{len(self.events)}", "expires_at": (self.now + LIFE).isoformat()}
        self.note(e.CONFIRMATION_REQUESTED, command, **where, **self.terms_of(call), **request)
        self.commit()

    def ask_more(self, command: c.AskMore) -> None:
        self.commit()
        request = {"extension": f"x{len(self.events)}", "most": MOST_MORE}
        expires_at = (self.now + timedelta(minutes=10)).isoformat()
        self.note(e.LIMIT_REACHED, command, limit=command.limit, expires_at=expires_at, **request)
        self.commit()

    def heed_words(self) -> None:
        """Note what was said about the calls that wait for it."""
        for call in self.view.calls:
            if call.status == "waiting" and call.approval in self.verdicts:
                self._heed_verdict(call, self.verdicts[call.approval])
            elif call.status == "confirming" and call.confirmation in self.verdicts:
                self._heed_user(call, self.verdicts[call.confirmation])

    def _heed_verdict(self, call: CallState, verdict: str) -> None:
        where: Facts = {"step": self.view.step, "call": call.number, "approval": call.approval}
        if verdict == "approved":
            self.note(e.APPROVAL_GRANTED, **where)
        elif verdict == "asked":
            self.note(e.CALL_ASKED_BACK, **where, size=9)
        elif verdict == "edited":
            digest = str(self.dice.randrange(1_000))
            self.note(e.CALL_EDITED, **where, args_digest=digest, size=20)
        else:
            self.note(e.APPROVAL_REFUSED, **where, code="denied_by_human")

    def _heed_user(self, call: CallState, said: str) -> None:
        where: Facts = {"step": self.view.step, "call": call.number, "confirmation": call.confirmation}
        if said == "confirmed":
            self.note(e.CONFIRMATION_GIVEN, **where, proof="asserted")
        else:
            self.note(e.CONFIRMATION_REFUSED, **where, code=said)
