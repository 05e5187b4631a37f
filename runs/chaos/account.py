"""The account: what the client ordered against what the tools' servers have written down.

What must have happened is told by the orders alone. The ledger has a say in one thing only, which call a run
halted at because nobody can know its outcome; its other words are held against the effects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from runs.chaos.arena import HONOURS_KEYS
from runs.chaos.effects import Effect
from runs.chaos.work import Order

COMPLETED, HALTED = "completed", "halted/outcome_unknown"


@dataclass(frozen=True, slots=True)
class Claim:
    """What was ordered from one server: effects that must be there, and those of parked calls, which may be."""

    due: Mapping[str, str]  # the effect's name: how its call stands in the ledger
    doubtful: frozenset[str]


@dataclass(frozen=True, slots=True)
class Account:
    """Effects that should be there against effects that are, at one server. Texts name each offender."""

    effects_expected: int
    effects_seen: int
    parked_effects: int
    parked: list[str]
    duplicates: list[str]
    lost: list[str]
    unrecorded: list[str]
    unordered: list[str]

    def figures(self) -> dict[str, int]:
        """Return how much there is of everything."""
        found = {name: getattr(self, name) for name in Account.__dataclass_fields__}
        return {name: each if isinstance(each, int) else len(each) for name, each in found.items()}

    def problems(self, tool: str) -> list[str]:
        """Return words for all that must not be at this tool's server."""
        faults = ["duplicates", "lost", "unrecorded", "unordered"]
        if tool == HONOURS_KEYS:  # whoever may repeat a call has nothing to ask a person
            faults.append("parked")
        return [f"{tool}: {fault}: {each}" for fault in faults for each in getattr(self, fault)]


def claim_effects(orders: Mapping[UUID, Order], calls: Mapping[str, str], tool: str) -> Claim:
    """Return what the orders of these runs claim from a tool's server.

    A run makes its calls one after another and halts at the first that is parked: all before it have had their
    effect, none after it has. A run without a parked call owes everything, however it ended.
    """
    standing = {tuple(key.split(":")[:3]): state for key, state in calls.items()}
    due: dict[str, str] = {}
    doubtful: set[str] = set()
    for run, order in orders.items():
        for turn, each in order.calls:
            state = standing.get((str(run), str(turn), each), "never begun")
            if each == tool and state == "parked":
                doubtful.add(order.effect(turn, tool))
            elif each == tool:
                due[order.effect(turn, tool)] = state
            if state == "parked":
                break
    return Claim(due, frozenset(doubtful))


def settle_account(claim: Claim, calls: Mapping[str, str], effects: Sequence[Effect], tool: str) -> Account:
    """Hold what is claimed from a server, and what the ledger says of it, against its effects.

    Everything that is due has happened exactly once; a parked call once or never, and a person has been told.
    Nothing else has happened, and nothing under a key that the ledger holds neither as succeeded nor as parked.
    """
    own = {key: state for key, state in calls.items() if key.split(":")[2] == tool}
    keys = {effect.key for effect in effects}
    by_name = Counter(effect.effect for effect in effects)
    hollow = [key for key, state in own.items() if state == "succeeded" and key not in keys]
    missing = [
        f"{name}, {state}" for name, state in claim.due.items() if state != "succeeded" and not by_name[name]
    ]
    return Account(
        effects_expected=len(claim.due),
        effects_seen=len(effects),
        parked_effects=sum(by_name[name] > 0 for name in claim.doubtful),
        parked=[key for key, state in own.items() if state == "parked"],
        duplicates=[f"{name}, {count} times" for name, count in by_name.items() if count > 1],
        lost=hollow + missing,
        unrecorded=[
            f"{each.effect} under {each.key}, {own.get(each.key, 'of which the ledger knows nothing')}"
            for each in effects
            if own.get(each.key) not in ("succeeded", "parked")
        ],
        unordered=[name for name in by_name if name not in claim.due and name not in claim.doubtful],
    )


def find_wrong_endings(
    runs: Collection[UUID], endings: Mapping[UUID, str], calls: Mapping[str, str]
) -> list[str]:
    """Return words for each run that only one side knows, or that did not end as its calls demand.

    ``runs`` are those whose start was acknowledged, ``endings`` those that are there.
    """
    parked = {UUID(key.partition(":")[0]) for key, state in calls.items() if state == "parked"}
    wrong = [f"run {run} was acknowledged and is not there" for run in runs if run not in endings]
    wrong += [f"run {run} was never acknowledged" for run in endings if run not in runs]
    for run, ending in endings.items():
        demanded = HALTED if run in parked else COMPLETED
        if ending != demanded:
            wrong.append(f"run {run} is {ending}, not {demanded}")
    return wrong
