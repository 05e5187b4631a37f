"""Histories that can happen: a driver without I/O against a planner, tools and people that do as they please.

Whatever is left to chance comes from one ``random.Random``, which hypothesis controls, so that a history
that breaks a property is made smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from random import Random
from typing import Any

from hypothesis import strategies as st

from agentops.engine import commands as c
from agentops.engine import events as e
from agentops.engine.budgets import (
    QUANTUM,
    Amount,
    DrawFirst,
    Reservation,
    count_drawn,
    count_unused,
    plan_draw,
    plan_reservation,
    worst_usd,
)
from agentops.engine.commands import Command
from agentops.engine.decide import LOST, next_command
from agentops.engine.events import Event
from agentops.engine.shares import find_lacking
from agentops.engine.state import CallState, Limits
from agentops.engine.tiers import Offer, choose_role, is_low, is_routed, rank_models
from agentops.engine.trouble import JITTER_UNITS, decide_follow_up
from tests.engine.asking import Asking
from tests.engine.world import EFFECTS, LIFE, MODELS, PRICES, RATES, TOOLS, Facts, World, worlds
from tests.engine.writing import Moved

MOST_COMMANDS = 5_000


class Crash(Exception):
    """The driver dies: what it had not written is gone."""


@dataclass
class Simulation(Asking):
    """One run: its history, and a driver with a view of its own."""

    commands: int = 0

    # --- the drive --------------------------------------------------------------------------------------

    def start(self) -> None:
        world = self.world
        limits = {
            "steps": world.steps,
            "tokens": world.tokens,
            "usd": str(world.usd),
            "seconds": world.seconds,
        }
        facts = {
            "engine": world.engine,
            "limits": limits,
            "shared": list(world.shared),
            "expires_at": (self.now + LIFE).isoformat(),
            "repeat_limit": world.repeat_limit,
            "size": 20,
            **({} if world.crowded is None else {"needs_review": True}),
            **({"mode": "propose"} if world.proposes else {}),
            **({"extensions": world.extensions} if world.extensions else {}),
            "routing": {
                "escalate_invalid": world.escalates,
                "escalate_failed": world.escalates,
                "demote_percent": world.demote_percent,
            },
        }
        self.append(Event(1, e.RUN_STARTED, facts, self.now))

    def drive(self) -> None:
        """Go on to the end; raises AssertionError for a run that does not come to one."""
        self.take_over()
        while not self.state.has_ended:
            self.commands += 1
            assert self.commands < MOST_COMMANDS, f"no end: {[event.kind for event in self.events[-9:]]}"
            try:
                self._carry_out_next()
            except Moved:
                self.rewind()
            except Crash:
                self.now += timedelta(seconds=self.dice.choice((1, 15)))
                self.due_at = self.now
                self.take_over()

    def _carry_out_next(self) -> None:
        self.pass_time(50)
        self.heed_words()
        self._heed_children()
        command = next_command(self.view, self.now, self.idle_ms)
        _CARRY_OUT[type(command)](self, command)
        if self.chance(0.05):  # the end of a time slice
            self.commit()
            self.due_at = self.now
            self.pass_time(5_000)
            self.take_over()

    def _heed_children(self) -> None:
        """Let children end as they may, within what they were given."""
        for call in self.view.calls:
            if call.status != "delegated" or call.share is None or not self.chance(0.4):
                continue
            used = {
                "steps": self.dice.randint(0, call.share.steps),
                "tokens": self.dice.randint(0, call.share.tokens),
                "usd": str(call.share.usd),
                "worked_ms": self.dice.randint(0, call.share.seconds * 1000),
            }
            kind, code = self.dice.choice(((e.CALL_SUCCEEDED, "ok"), (e.CALL_FAILED, "child_halted")))
            self._note_outcome(kind, call.number, code=code, size=9, used=used, child=call.child)

    def wait(self, command: c.Wait) -> None:
        unused = count_unused(self.view)
        if command.for_people and unused != Amount(0, 0, Decimal(0)):
            facts = {"steps": unused.steps, "tokens": unused.tokens, "usd": str(unused.usd)}
            self.note(e.BUDGET_RETURNED, command, **facts)
        self.commit()
        assert command.until is not None
        assert command.until > self.now, "a wait until a time that is past would spin"
        if any(call.status == "delegated" for call in self.view.calls):
            self.now = min(self.now + timedelta(seconds=self.dice.randint(0, 30)), command.until)
        elif self.acts and self.chance(0.7):
            self.now = min(self.now + timedelta(seconds=self.dice.randint(0, 30)), command.until)
            self.let_people_act()
        else:
            self.now = command.until
        self.due_at = self.now
        self.now += timedelta(milliseconds=self.dice.choice((0, 0, 2_000)))  # until a driver is free
        self.take_over()

    def admit(self, command: c.Admit) -> None:
        """Let the run begin, or have it wait; only once is that on its record."""
        if not self.chance(self.world.crowded or 0.0):
            self.note(e.RUN_ADMITTED, command)
            return self.commit()
        if self.view.admission == "to_ask":
            self.note(e.RUN_HELD_BACK, command)
        return self.wait(c.Wait(self.view.expires_at, "queued", for_people=True))

    def finish(self, command: c.Finish) -> None:
        self.note(command.event, command, reason=command.reason, limit=command.limit)
        self.commit()

    def rest(self, command: c.Rest) -> None:
        """Nothing is left to do."""

    # --- the planner ------------------------------------------------------------------------------------

    def ask(self, command: c.AskPlanner) -> None:
        if self.chance(0.03):
            self.note(e.BUDGET_BOUND, shared=self.dice.choice((["usd"], ["steps", "tokens"])))
            return None
        if is_routed(self.view) and self.chance(self.world.trouble / 10):
            return self._find_none(command)
        prompt = self.dice.randint(1, 2_000)
        routed = self.route(prompt)
        rates = PRICES[routed["model"]] if routed else RATES
        plan = plan_reservation(
            self.view, prompt_tokens=prompt, completion_tokens=500, rates=rates, now=self.now
        )
        if isinstance(plan, Reservation):
            self._ask_within(command, plan, routed)
        elif isinstance(plan, DrawFirst) and self.chance(0.9):
            self._draw(command, plan.wanted)
        else:
            self.note(e.BUDGET_EXHAUSTED, command, limit="tokens", left="0", needed="1")
        return None

    def _role(self) -> Facts:
        role, why = choose_role(self.view)
        return {"role": role, "why": why, **({"low": True} if is_low(self.view) else {})}

    def route(self, prompt: int) -> Facts:
        """Return which model is asked, and why: the first one that is there."""
        if not is_routed(self.view):
            return {}
        routed = self._role()
        offers = [Offer(name, worst_usd(prompt, 500, PRICES[name])) for name in MODELS[routed["role"]]]
        ranked = rank_models(offers, self.view.routing.tried, low=routed.get("low", False))
        there = [name for name in ranked if self.chance(0.8)]
        return {**routed, "model": (there or ranked)[0]}

    def _find_none(self, command: c.AskPlanner) -> None:
        """No model is there."""
        where = {"step": command.step, "attempt": command.attempt}
        nothing: Facts = {"asked": False, "retryable": True, "tokens": 0, "usd": "0"}
        delay_ms = self.dice.choice((100, 5_000, 40_000))
        self.note(
            e.MODEL_FAILED, command, **where, **nothing, **self._role(), code="planner_circuit_open",
            delay_ms=delay_ms,
        )  # fmt: skip
        self.commit()

    def _draw(self, command: c.AskPlanner, wanted: Reservation) -> None:
        drawn = count_drawn(self.view, plan_draw(self.view, wanted, self.dice.choice((1, 4))))
        until = (self.now + timedelta(minutes=30)).isoformat()
        facts = {"steps": drawn.steps, "tokens": drawn.tokens, "usd": str(drawn.usd)}
        self.note(e.BUDGET_DRAWN, command, **facts, until=until)
        self.commit()

    def _ask_within(self, command: c.AskPlanner, plan: Reservation, routed: Facts) -> None:
        reserved = {"reserved_tokens": plan.tokens, "reserved_usd": str(plan.usd)}
        where = {"step": command.step, "attempt": command.attempt}
        self.note(e.MODEL_REQUESTED, command, **where, **reserved, **routed)
        self.commit()
        self.pass_time(4_000)
        if self.chance(self.world.crash):
            raise Crash
        # A provider keeps to the completion limit that it is sent, and the prompt is bounded.
        share = Decimal(self.dice.randint(0, 100)) / 100
        charge = {
            "tokens": int(plan.tokens * share),
            "usd": str((plan.usd * share).quantize(QUANTUM, ROUND_UP)),
        }
        if self.chance(self.world.trouble):
            self._fail_to_answer(command, charge, routed)
        else:
            self._answer(command, charge)

    def _fail_to_answer(self, command: c.AskPlanner, charge: Facts, routed: Facts) -> None:
        delay_ms = self.dice.choice((0, 300, 40_000))
        retryable = self.chance(0.8)
        where: Facts = {"step": command.step, "attempt": command.attempt}
        told = {"retryable": retryable, "delay_ms": delay_ms, "requested_model": routed.get("model", "")}
        code = self.dice.choice(("planner_unavailable", "planner_invalid_answer"))
        self.note(e.MODEL_FAILED, **where, **told, code=code, **charge)

    def _answer(self, command: c.AskPlanner, charge: Facts) -> None:
        final = self.chance(self.world.final)
        number = 0 if final else self.dice.randint(1, self.world.tool_calls)
        calls = [self._propose(number + 1) for number in range(number)]
        cut: Facts = {"cut_by": "tokens"} if final and self.chance(self.world.trouble / 5) else {}
        self.note(e.STEP_DECIDED, step=command.step, calls=calls, final=final, size=30, **cut, **charge)

    def _propose(self, number: int) -> Facts:
        tool, digest = self.dice.choice(TOOLS), self.dice.choice("abbbcd")
        if self.chance(0.5):  # a planner mostly does something new
            digest = str(self.dice.randrange(1_000))
        problem = "malformed_arguments" if self.chance(self.world.trouble / 5) else None
        return {"call": number, "tool": tool, "args_digest": digest, "problem": problem}

    def settle_answer(self, command: c.SettleLostAnswer) -> None:
        view = self.view
        charge: dict[str, Any] = {"tokens": view.reserved_tokens, "usd": str(view.reserved_usd)}
        where = {"step": command.step, "attempt": command.attempt}
        self.note(e.MODEL_FAILED, command, **where, code=LOST, retryable=True, delay_ms=0, **charge)

    # --- calls ------------------------------------------------------------------------------------------

    def assess(self, command: c.AssessCalls) -> None:
        for place, number in enumerate(command.calls):
            call, where = self.view.call(number), {"step": self.view.step, "call": number}
            left = c.AssessCalls(command.calls[place:])
            if call.problem or self.chance(self.world.trouble / 3):
                code = self.dice.choice(("no_grant", "identity_suspended"))
                self.note(e.CALL_REFUSED, left, **where, code=call.problem or code)
            elif call.tool in e.BUILT_IN_TOOLS:
                self.note(e.CALL_ASKED, left, **where, action=e.BUILT_IN_TOOLS[call.tool])
            elif self.view.proposes and EFFECTS[call.tool] != "read":
                self._stage(left, call)
            elif self.chance(0.25):
                self.confirm(left, call)
            elif self.chance(0.3):
                self.gate(left, call)
            else:
                self.note(e.CALL_ALLOWED, left, **where, **self.terms_of(call), **self._hold(call))

    def _hold(self, call: CallState) -> Facts:
        """Hold a write for people to veto it, now and then."""
        if EFFECTS[call.tool] == "read" or not self.chance(0.2):
            return {}
        return {"held_until": (self.now + timedelta(seconds=self.dice.choice((5, 600)))).isoformat()}

    def _stage(self, command: Command, call: CallState) -> None:
        self.commit()
        item, where = self.view.staged + 1, {"step": self.view.step, "call": call.number}
        change_set = self.view.change_set or f"set{len(self.events)}"
        self.note(
            e.CALL_STAGED, command, **where, **self.terms_of(call), item=item, change_set=change_set, size=9
        )
        self.commit()

    def offer(self, command: c.OfferChanges) -> None:
        self.note(e.CHANGES_OFFERED, command, items=command.items, change_set=self.view.change_set)
        self.commit()

    def call(self, command: c.CallTools) -> None:
        """Give one task to another agent; or, where there is none, make the calls."""
        task = next((each for each in command.calls if self.view.call(each).tool == "ask_agent"), None)
        if task is None:
            self._call(command)
        else:
            self._delegate(command, task)

    def _delegate(self, command: c.CallTools, number: int) -> None:
        if not self._may_go_out(command, number):
            return
        where: Facts = {"step": self.view.step, "call": number}
        share = Limits(
            self.dice.randint(1, 3), self.dice.randint(1, 5_000), Decimal(self.dice.randint(0, 20)) / 100, 5
        )
        if find_lacking(self.view, share):
            self.note(e.CALL_REFUSED, command, **where, code="share_too_large")
            return
        self.note(e.ATTEMPT_STARTED, command, **where, claims=[], attempt=self.view.call(number).attempts + 1)
        given = {**share._asdict(), "usd": str(share.usd)}
        self.note(e.CALL_DELEGATED, **where, child=f"r{len(self.events)}", share=given)
        self.commit()

    def call_off(self, command: c.CallOff) -> None:
        for place, number in enumerate(command.calls):
            left, where = c.CallOff(command.calls[place:]), {"step": self.view.step, "call": number}
            if self.view.call(number).status == "delegated":
                self.note(e.CALLED_OFF, left, **where)
            else:
                self.note(e.CALL_REFUSED, left, **where, code="not_needed")
        self.commit()

    def _call(self, command: c.CallTools) -> None:
        started = [number for number in command.calls if self._may_go_out(command, number)]
        together = c.CallTools(tuple(started))
        for number in started:
            call = self.view.call(number)
            claims = [] if call.claims else [["run:1", "1"]]
            facts = {"step": self.view.step, "call": number, "claims": claims}
            self.note(e.ATTEMPT_STARTED, together, **facts, attempt=call.attempts + 1)
        self.commit()
        if started:
            self.pass_time(3_000)
        if self.chance(self.world.crash):
            raise Crash
        for number in started:
            self.settle_attempt(number)

    def _may_go_out(self, command: c.CallTools, number: int) -> bool:
        """Assess again; where the call may not go out, note why."""
        call, where = self.view.call(number), {"step": self.view.step, "call": number}
        if call.held_since and not call.attempts and self.view.unread:
            self.note(e.CALL_REFUSED, command, **where, code="user_wrote")
            return False
        if not self.chance(self.world.trouble / 2):
            return True
        still = c.CallTools(tuple(each for each in command.calls if self.view.call(each).may_run))
        if self.chance(0.3):
            retry_at = (self.now + timedelta(seconds=30)).isoformat()
            self.note(e.CALL_DEFERRED, still, **where, code="circuit_open", retry_at=retry_at)
        elif call.in_doubt:
            facts = {"code": "no_grant", "then": "park", "delay_ms": 0, "attempt": call.attempts}
            self.note(e.CALL_UNKNOWN, still, **where, **facts)
        elif self._has_changed(call) and self.chance(0.3):
            self.confirm(still, call)
        elif not call.approval and self.chance(0.3):
            self.gate(still, call)
        elif not call.attempts and call.effect != "read" and self.chance(0.3):
            held_until = (self.now + timedelta(seconds=self.dice.choice((30, 600)))).isoformat()
            self.note(e.CALL_HELD, still, **where, held_until=held_until)
        else:
            self.note(e.CALL_REFUSED, still, **where, code=self.dice.choice(("circuit_open", "no_grant")))
        return False

    def _has_changed(self, call: CallState) -> bool:
        """Whether the end user may have to say it anew: they have not yet, or what they confirmed is another state."""
        return not call.confirmation or call.status == "approved"

    def settle_attempt(self, number: int) -> None:
        """Let an attempt end as it may."""
        if not self.chance(self.world.trouble):
            self._note_outcome(e.CALL_SUCCEEDED, number, code="ok", size=50)
            return
        lost = self.view.call(number).effect != "read" and self.chance(0.5)
        inputs: Facts = {"status": "unknown" if lost else "failed", "retryable": self.chance(0.7)}
        self._follow_up(number, "busy", **inputs)

    def lose_attempt(self, command: c.SettleLostAttempt) -> None:
        status = "failed" if self.view.call(command.call).effect == "read" else "unknown"
        self._follow_up(command.call, LOST, command, status=status, retryable=True, rest_ms=500)

    def read_back(self, command: c.ReadBack) -> None:
        self.pass_time(500)
        answer = self.dice.choice(("succeeded", "failed", "unknown"))
        if answer == "succeeded":
            self._note_outcome(e.CALL_SUCCEEDED, command.call, command, code="ok", size=50)
        else:
            found = {"read_back": True} if answer == "failed" else {}
            self._follow_up(command.call, "not_executed", command, status=answer, retryable=True, **found)

    def _follow_up(self, number: int, code: str, command: Command | None = None, **inputs: Any) -> None:
        """Do as the driver does: decide by recorded inputs."""
        inputs["jitter"] = self.dice.randrange(JITTER_UNITS)
        if self.chance(self.world.trouble / 3):
            inputs["retry_after_ms"] = self.dice.choice((0, 2_000))
        if self.chance(self.world.trouble / 3):
            inputs["retry_budget"] = "exhausted"
        kind, follow = decide_follow_up(self.view.call(number), inputs)
        self._note_outcome(kind, number, command, code=code, size=10, **inputs, **follow)

    def _note_outcome(self, kind: str, number: int, command: Command | None = None, **facts: Any) -> None:
        attempt = self.view.call(number).attempts
        self.note(kind, command, step=self.view.step, call=number, attempt=attempt, **facts)

    def park(self, command: c.Park) -> None:
        self.note(e.CALL_PARKED, command, step=self.view.step, call=command.call)


_CARRY_OUT: dict[type, Callable[[Simulation, Any], None]] = {
    c.Admit: Simulation.admit,
    c.AskMore: Simulation.ask_more,
    c.OfferChanges: Simulation.offer,
    c.AskPlanner: Simulation.ask,
    c.SettleLostAnswer: Simulation.settle_answer,
    c.AssessCalls: Simulation.assess,
    c.CallTools: Simulation.call,
    c.CallOff: Simulation.call_off,
    c.SettleLostAttempt: Simulation.lose_attempt,
    c.ReadBack: Simulation.read_back,
    c.Park: Simulation.park,
    c.Wait: Simulation.wait,
    c.Finish: Simulation.finish,
    c.Rest: Simulation.rest,
}


def simulate(world: World, dice: Random) -> Simulation:
    """Return a run that has been driven to its end."""
    simulation = Simulation(world, dice)
    simulation.start()
    simulation.drive()
    return simulation


# True randomness under a drawn seed: drawing every throw from hypothesis would make histories few and short.
ended_runs = st.builds(lambda world, seed: simulate(world, Random(seed)), worlds, st.integers(0, 2**32))
