"""What is unusual about one request among its like, in words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from agentops.amounts import plain_decimal
from approvals.batches.templates import Leaves
from tools.findings import DOUBTS

# Iglewicz and Hoaglin (1993): a modified z-score beyond 3.5 is an outlier; 0.6745 makes the deviation comparable.
FAR, SCALE = Decimal("3.5"), Decimal("0.6745")
LEAST_TO_COMPARE = 5  # of fewer amounts none is usual
LEAST_KNOWN = 10  # decided requests, before a target can be called rare
RARE = 1  # seen in so many of them at the most


@dataclass(frozen=True, slots=True)
class Oddity:
    """One thing that is unusual: what kind, which leaf if one, and in words; ``weight`` puts the worst first."""

    code: str
    leaf: str
    words: str
    weight: int


def find_far_amounts(amounts: Sequence[Decimal | None]) -> list[str]:
    """Return for each amount in what way it is far from the group's usual, empty where it is not."""
    known = [amount for amount in amounts if amount is not None]
    if len(known) < LEAST_TO_COMPARE:
        return ["" for _ in amounts]
    usual = median(known)
    spread = median([abs(amount - usual) for amount in known])
    return ["" if amount is None else _tell_far(amount, usual, spread) for amount in amounts]


def _tell_far(amount: Decimal, usual: Decimal, spread: Decimal) -> str:
    distance = abs(amount - usual)
    # Where most are alike, whatever differs by a tenth is far.
    is_far = SCALE * distance > FAR * spread if spread else distance * 10 > abs(usual)
    if not is_far:
        return ""
    way = "above" if amount > usual else "below"
    return f"{plain_decimal(amount)} is far {way} what is usual here, {plain_decimal(usual)}"


def find_targets(decided: Sequence[Leaves]) -> dict[str, Counter[str]]:
    """Return how often each value was seen in decided requests, of the leaves that tell targets apart.

    A leaf whose values hardly ever come again (an order's number) says nothing about who is seldom.
    """
    seen: dict[str, Counter[str]] = {}
    for leaves in decided:
        for path, value in leaves.items():
            seen.setdefault(path, Counter())[value] += 1
    return {path: found for path, found in seen.items() if _tells_apart(found)}


def _tells_apart(found: Counter[str]) -> bool:
    total = found.total()
    return total >= LEAST_KNOWN and len(found) * 2 <= total


def find_oddities(
    leaves: Leaves,
    far_amount: str,
    targets: Mapping[str, Counter[str]],
    findings: Iterable[Mapping[str, str]],
    amount_leaf: str = "",
) -> list[Oddity]:
    """Return what is unusual about one request, the worst first."""
    found = [Oddity("amount", amount_leaf, far_amount, 2)] if far_amount else []
    for path, value in leaves.items():
        times = targets[path][value] if path in targets and path != amount_leaf else None
        if times is not None and times <= RARE:
            told = "seen once" if times else "never seen"
            found.append(Oddity("rare_target", path, f"{path} was {told} in decided requests", 1))
    for finding in findings:
        if finding.get("code") in DOUBTS:
            words = finding.get("detail") or finding["code"].replace("_", " ")
            found.append(Oddity("tainted", _find_leaf(leaves, words), words, 4))
    return sorted(found, key=lambda oddity: -oddity.weight)


def join_oddities(*found: Sequence[Oddity]) -> list[Oddity]:
    """Return what was found in several ways, the worst first; what is said of a recipient is said once."""
    every = [oddity for each in found for oddity in each]
    told = {oddity.leaf for oddity in every if oddity.code == "new_recipient"}
    kept = [oddity for oddity in every if oddity.code != "rare_target" or oddity.leaf not in told]
    return sorted(kept, key=lambda oddity: -oddity.weight)


def _find_leaf(leaves: Leaves, words: str) -> str:
    """Return the leaf that a finding names: with its kind behind it, or else as one of the words.

    An argument may have the name of a word that findings use, such as ``text``.
    """
    named = [path for path in leaves if path and f" {path} (" in f" {words}"]
    named = named or [path for path in leaves if path and path in words.replace("`", " ").split()]
    return max(named, key=len, default="")


def weigh(oddities: Iterable[Oddity]) -> int:
    """Return how unusual a request is: the higher, the earlier it is looked at."""
    return sum(oddity.weight for oddity in oddities)
