"""An engine with one rule less: the histories that are kept must tell it from the one that recorded them."""

from __future__ import annotations

from types import ModuleType

import pytest

from agentops.engine import decide, fold, retry, tiers, trouble
from agentops.engine.changes import budgets, calls, embeddings, memory, planner, summaries
from agentops.engine.fold import UnfoldableEvent
from agentops.engine.probes import check_history
from agentops.engine.replay import replay
from agentops.errors import NondeterminismError
from runs.histories import load_history, load_probes
from tests.replay.test_histories import HISTORIES
from tests.rewriting import rewrite

Mutation = tuple[ModuleType, str, str, str]

BLINDLY = ("return SettleLostAttempt(call.number)", "return CallTools((call.number,))")
GIVE_UP = ("return SettleLostAttempt(call.number)", "return Finish(e.RUN_FAILED, 'lost')")
NO_ANSWER = ('if state.phase == "asking":', "if False:")
PARK = ("return ReadBack(unknown.number)", "return Park(unknown.number)")
REPEAT = ("return ReadBack(unknown.number)", "return CallTools((unknown.number,))")
FORGET = ("if unknown:", "if False:")
ALL_WRITES = ("return (writes[0].number,)", "return tuple(w.number for w in writes)")
ANY_WRITE = (
    "if writes and writes[0].may_run and _is_due(state, writes[0], now):\n        return (writes[0].number,)",
    "for w in writes:\n        if w.may_run and _is_due(state, w, now):\n            return (w.number,)",
)

YES_AT_ONCE = ('"confirming"', '"confirmed"')
NO_IS_YES = ('status="refused"', 'status="confirmed"')
UNASKED = (
    "if writes and writes[0].may_run",
    'if writes and (writes[0].may_run or writes[0].status == "confirming")',
)

UNHEEDED_MISTAKES = ("0 < routing.escalate_invalid <= invalid", "False")
UNHEEDED_FAILURES = ("0 < routing.escalate_failed <= failed", "False")

# Those that the stream of an ordinary run shows, because it holds what was done in their place.
SHOWN: dict[str, Mutation] = {
    "a lost attempt is repeated blindly": (decide, "_settle_losses", *BLINDLY),
    "a lost attempt ends the run": (decide, "_settle_losses", *GIVE_UP),
    "a lost answer is not settled": (decide, "_settle_losses", *NO_ANSWER),
    "a conversation that has outgrown its window goes on": (decide, "_ask", "if through is None", "if True"),
    "a lost summary is not settled": (
        decide,
        "_settle_losses",
        'if state.phase == "summarising":',
        "if False:",
    ),
    "a lost vector is not settled": (
        decide,
        "_settle_losses",
        'if state.phase == "embedding":',
        "if False:",
    ),
    "a run that has a vector forgets its calls": (
        embeddings,
        "_embedding_settled",
        '"calling" if state.open_calls else "ready"',
        '"ready"',
    ),
    "what was summarised stays": (summaries, "_put_instead", 'mark.step > facts["through"]', "True"),
    "what was noted is noted again": (memory, "_answered", 'status="succeeded"', 'status="proposed"'),
    "a doubtful call is parked unasked": (decide, "_next_for_calls", *PARK),
    "a doubtful call is repeated unasked": (decide, "_next_for_calls", *REPEAT),
    "a doubtful call is never asked about": (decide, "_next_for_calls", *FORGET),
    "all writes go together": (decide, "_runnable", *ALL_WRITES),
    "the user's words are not read before what is held goes out": (
        decide,
        "_is_due",
        ' or (call.status == "held" and state.unread)',
        "",
    ),
    "lost authority is ignored": (decide, "_heed_people", "if state.lost_authority:", "if False:"),
    "an expiry is ignored": (decide, "_heed_people", "if now >= state.expires_at:", "if False:"),
    "a kill is ignored": (decide, "_heed_people", "if state.killed:", "if False:"),
    "a cancellation is ignored": (decide, "_heed_people", "if state.cancelling:", "if False:"),
    "a limit is not asked about": (decide, "_stop_at", "state.extensible.left", "False"),
    "what was granted does not count": (budgets, "_budget_extended", 'limits.steps + facts["steps"]', "0"),
    "an end user who is asked has confirmed": (calls, "_confirmation_requested", *YES_AT_ONCE),
    "what an end user refused goes out": (calls, "_confirmation_refused", *NO_IS_YES),
    "retries need no jitter": (retry, "_delay", "jitter * ceiling", "ceiling"),
    "a wish to be left alone is ignored": (retry, "_delay", "retry_after_s or 0.0", "0.0"),
    "a refusal for good is retried": (retry, "_refuse_retry", "if not retryable:", "if False:"),
    "attempts have no end": (retry, "_refuse_retry", "if attempt >= max_attempts:", "if False:"),
    "used up retries are ignored": (trouble, "_decide", '"retry_budget" not in inputs', "True"),
    "doubt is forgotten": (trouble, "_decide", "in_doubt=in_doubt", "in_doubt=False"),
    "what the user adds is not planned for": (tiers, "choose_role", "if routing.due:", "if False:"),
    "mistakes are left to the small model": (tiers, "choose_role", *UNHEEDED_MISTAKES),
    "failures are left to the small model": (tiers, "choose_role", *UNHEEDED_FAILURES),
    "little left changes nothing": (
        tiers,
        "is_low",
        "tokens_left * 100 < percent * limits.tokens",
        "False",
    ),
    "an attempt without a model is none": (
        planner,
        "_model_failed",
        'if not facts.get("asked", True):',
        "if False:",
    ),
    "a summary that another model may write is given up": (
        summaries,
        "_summary_failed",
        'if facts.get("another"):',
        "if False:",
    ),
}
# Those that show only at another moment than that of an entry, or in what a driver might have done.
HIDDEN: dict[str, Mutation] = {
    "a write overtakes one that waits": (decide, "_runnable", *ANY_WRITE),
    "a call is retried before it is due": (decide, "_is_due", "now >= call.retry_at", "True"),
    "a model is asked before it is due": (decide, "_ask", "now < state.retry_at", "False"),
    "calls have no deadline": (decide, "_next_for_calls", "if now >= deadline:", "if False:"),
    "turns have no deadline": (
        decide,
        "_ask",
        "if max(now, state.retry_at or now) >= deadline:",
        "if False:",
    ),
    "waiting for a driver is working time": (decide, "find_deadline", "left_ms + idle_ms", "left_ms"),
    "a call goes out before its end user has confirmed it": (decide, "_runnable", *UNASKED),
    "a run at its limit does not wait for people": (
        decide,
        "_heed_people",
        "if state.extensible.asked:",
        "if False:",
    ),
    "a pause is ignored": (decide, "_heed_people", "if state.paused:", "if False:"),
}


def notices(check: str) -> list[str]:
    """Return the names of the histories that a check tells from what today's engine decides."""
    found = []
    for path in HISTORIES:
        text = path.read_text()
        events = load_history(text)
        try:
            if check == "replay":
                replay(events)
            else:
                check_history(events, load_probes(text))
        except (NondeterminismError, UnfoldableEvent):
            found.append(path.stem)
    return found


@pytest.mark.parametrize("check", ["replay", "probes"])
def test_nobody_cries_wolf(check: str) -> None:
    assert notices(check) == []


def mutate(monkeypatch: pytest.MonkeyPatch, mutation: Mutation) -> None:
    """Rewrite a function, also where the fold has it at hand by the kind of event."""
    before = getattr(mutation[0], mutation[1])
    after = rewrite(monkeypatch, *mutation)
    for kind in [kind for kind, change in fold._CHANGES.items() if change is before]:
        monkeypatch.setitem(fold._CHANGES, kind, after)


@pytest.mark.parametrize("mutation", SHOWN.values(), ids=SHOWN)
def test_a_stream_shows_it(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch, mutation)
    assert notices("replay")


# What follows an attempt is no command: it is recomputed from the stream.
COMMANDS = {name: mutation for name, mutation in {**SHOWN, **HIDDEN}.items() if mutation[0] is decide}


@pytest.mark.parametrize("mutation", COMMANDS.values(), ids=COMMANDS)
def test_a_kept_history_shows_it(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch, mutation)
    assert notices("probes")
