"""What the policy would say now of each compensation of an undo: a forecast, for it is asked again at each call.

Asked of the function that decides real calls. How things stand is read once for each tool that undoes, not for each
effect; each compensation is looked at as if it were the only one, so caps that several would use up are not added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from agentops.identifiers import new_id
from identities.models import User
from runs.models import Run
from runs.undoing.foresight import Foreseen
from runs.undoing.plans import ToUndo
from runs.what_if import decide_as_now
from tools.authority import Decision
from tools.bindings import CODE, find_unbound
from tools.calls import Call, ToolSpec
from tools.catalogue import read_spec
from tools.provenance.judging import Meant
from tools.provenance.sources import Sources
from tools.standing import Answer, Authority

MOST_ASKED = 200  # tools of documents, and those under decision tables, cost statements of their own
NOT_ASKED = f"only of the latest {MOST_ASKED} effects the policy is asked beforehand"
LOOKED_UP = "what its arguments describe is looked up first, which only the call itself does"


def forecast(actor: User, run: Run, foreseen: Sequence[Foreseen]) -> list[Foreseen]:
    """Return the same effects, with what would be decided now where ``actor`` undid them."""
    forecaster, asked, told = _Forecaster(actor, run), 0, []
    for each in foreseen:
        if each.to_undo is None:
            told.append(each)
        elif asked == MOST_ASKED:
            told.append(replace(each, policy_why=NOT_ASKED))
        else:
            asked += 1
            told.append(forecaster.ask(each, each.to_undo))
    return told


class _Forecaster:
    """One undo that nobody has started, and how the tools stand that it would call."""

    def __init__(self, actor: User, run: Run) -> None:
        self._run, self._undo = run, new_id()
        by = None if actor.kind != User.Kind.PERSON else actor.pk
        self._by = Authority(None, by, run.principal_id, run.agent_version.planner)
        self._known: dict[UUID, Answer] = {}

    def ask(self, each: Foreseen, effect: ToUndo) -> Foreseen:
        spec = read_spec(effect.by)
        if spec.resolvers:
            return replace(each, policy_why=LOOKED_UP)
        arguments = each.arguments or {}
        if unbound := "; ".join(find_unbound(spec.bound, arguments, ())):
            return replace(each, policy="DENY", policy_why=f"{CODE}: {unbound}")
        decision = self._decide(spec, self._call(spec, each, effect), effect.key)
        # That its values come from the ledger is no news here.
        reasons = [reason for reason in decision.reasons if reason.code != "from_ledger"]
        return replace(each, policy=decision.verdict, policy_why=reasons[-1].detail if reasons else "")

    def _call(self, spec: ToolSpec, each: Foreseen, effect: ToUndo) -> Call:
        run = self._run
        return Call(
            spec, each.arguments or {}, f"{self._undo}:what-if", 1, self._undo, run.identity_id, run.identity.name,
            run.principal.issuer, run.principal.subject, traceparent="", undoes=effect.key,
        )  # fmt: skip

    def _decide(self, spec: ToolSpec, call: Call, undone: str) -> Decision:
        known = self._known.get(spec.tool_id)
        made = decide_as_now(call, self._by, known=known, meant=lambda: Meant(Sources(), undoes=undone))
        if made.answer is not None:
            # What has become of an effect is known by itself; of others' effects nothing follows for this one.
            self._known[spec.tool_id] = replace(made.answer, seen=())
        return made.decision
