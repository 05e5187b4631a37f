"""What is capped, and how what the database said of a standing is read, changed in every way: each is seen.

As in test_wide_mutants. Statements are not changed: those run in the tests of their own modules, on a database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from agentops.errors import ValidationFailed
from tests.tools.execution import NOBODY
from tests.tools.mutating import check_that_each_is_seen
from tests.tools.test_policy_mutants import Answers, Names
from tools import caps, standing
from tools.authority import Bound
from tools.caps import Cap, CapClaim, Whose
from tools.standing import Authority, Link, Question

pytestmark = [pytest.mark.attacks, pytest.mark.slow]

# --- caps: how much ---

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN, AGENT, USER = UUID(int=3), UUID(int=4), UUID(int=5)
CAPS = (
    Cap("call", None, Decimal(10)),
    Cap("run", 2, None),
    Cap("day", 3, Decimal(30)),
    Cap("day", None, Decimal(20)),
    Cap("month", 1, Decimal(99)),
    Cap("hour", None, Decimal("0.5")),
)
WINDOWS = [caps.window_of(period, RUN, NOW) for period in ("run", "hour", "day", "month")]
ROWS: list[Any] = [
    [],
    {},
    "x",
    [{}],
    [1],
    [{"per": "day"}],
    [{"per": "day", "count": 1}],
    [{"per": "day", "count": True}],
    [{"per": "day", "count": 1.0}],
    [{"per": "day", "count": "1"}],
    [{"per": "week", "count": 1}],
    [{"per": "day", "amount": "5"}],
    [{"per": "day", "amount": "x"}],
    [{"per": "day", "amount": "NaN"}],
    [{"per": "day", "amount": "inf"}],
    [{"per": "day", "amount": 5, "count": 2}],
    [{"per": "day", "more": 1, "count": 1}],
    [{"per": "call", "amount": None, "count": None}],
    [{"per": "run", "count": 0, "amount": 0}],
    [{"count": 1}],
]


class Asked:
    """A call as caps see it."""

    run_id, now = RUN, NOW

    def __init__(self, amount: Decimal | None, held: dict[str, Decimal]) -> None:
        self.amount, self.held = amount, held


class Recorder:
    """A cursor that keeps what it is told, and has as many rows as it is given."""

    def __init__(self, rows: int) -> None:
        self.told: list[Any] = []
        self.rows = rows

    def execute(self, query: Any, params: Any = None) -> None:
        self.told.append((query, params))

    def fetchall(self) -> list[int]:
        return [1] * self.rows


def ask_caps(names: Names) -> Answers:
    told: Answers = [_safe(lambda rows=rows: names["parse_caps"](rows)) for rows in ROWS]  # type: ignore[misc]  # bound now
    whoses = [Whose(), Whose(agent=AGENT), Whose(user=USER), Whose(AGENT, USER)]
    for whose in whoses:
        told += [names["window_of"](period, RUN, NOW, whose) for period in ("run", "hour", "day", "month")]
        told.append(names["windows_of"](CAPS, RUN, NOW, whose))
    for amount in (
        None,
        Decimal(0),
        Decimal("0.5"),
        Decimal("0.6"),
        Decimal(10),
        Decimal(11),
        Decimal(20),
        Decimal(21),
    ):
        for some in ((), CAPS[:1], CAPS[1:2], CAPS[2:3], CAPS[3:4], CAPS[4:], CAPS):
            told.append(names["exceeded_per_call"](some, amount))
            for held in ({}, {WINDOWS[2]: Decimal(1)}):
                asked = Asked(amount, held)
                told.append(_claims(names["claim_caps"](some, asked)))
                for used in (
                    {},
                    {window: (1, Decimal(10)) for window in WINDOWS},
                    {WINDOWS[0]: (2, Decimal(0))},
                ):
                    told.append(names["exceeded_windows"](some, asked, used))
                told.append(names["exceeded_windows"](some, asked, {WINDOWS[2]: (2, Decimal(9))}))
    claims = [
        names["CapClaim"]("b", Decimal(1), count, limit)
        for count in (None, 1, 2)
        for limit in (None, Decimal(3), Decimal(4))
    ]
    told += [_claims(names["merge_claims"]([one, other])) for one in claims for other in claims]
    told.append(
        _claims(names["merge_claims"]([names["CapClaim"](each, Decimal(1), 1, None) for each in "cab"]))
    )
    told.append(_claims(names["lift_limits"](claims)))
    for rows in (0, 2, len(claims)):
        cursor = Recorder(rows)
        told += [names["reserve_caps"](cursor, AGENT, RUN, claims), cursor.told]
    for held_ in ([("a", "1"), (f"{USER}/b", "2")], []):
        cursor = Recorder(0)
        told += [names["release_caps"](cursor, AGENT, RUN, held_), cursor.told]
    return told


def _claims(claims: Iterable[CapClaim]) -> list[object]:
    return [(each.window, each.amount, each.count_limit, each.amount_limit) for each in claims]


def _safe(ask: Callable[[], object]) -> object:
    try:
        return repr(ask())
    except (ValidationFailed, ValueError) as error:
        return f"{type(error).__name__}: {error}"


# --- standing: how what the database said is read ---

LINK = Link(UUID(int=11), UUID(int=12), {"pay": Bound("ALLOW_WITH_CAPS", (Cap("day", 3, None),))})
LINE = (LINK, replace(LINK, run_id=UUID(int=13), limits=None))
US = 1_800_000_000_000_000
SIGNERS = ["ada", "bob", "e" * 64, US, False, True]


def terms(**changes: Any) -> list[Any]:  # Any: a column
    row = {
        "id": str(UUID(int=20)),
        "version": 2,
        "decision": "ALLOW",
        "caps": [],
        "over_caps": "DENY",
        "ttl": 60,
        "until": None,
        "over": None,
        "waiver": None,
        "table": None,
        "veto": 0,
        "confirm": False,
        **changes,
    }
    return list(row.values())


TERMS = [
    None,
    terms(),
    terms(caps=[{"per": "day", "count": 1}], until=US, decision="ALLOW_WITH_CAPS"),
    terms(waiver=SIGNERS),
    terms(waiver=[*SIGNERS[:-1], False]),
    terms(table=str(UUID(int=21)), veto=5, confirm=True),
    terms(decision="ALLOW_WITH_CAPS"),
    terms(caps=[{"per": "day"}]),
]
ACTORS = ["active", US, False, True, True, True, None]
PARENT_ROW = ["parent", "active", None, None, True, False, terms(caps=[{"per": "run", "amount": "5"}])]
SEEN = json.dumps(
    [{"key": "k", "args_digest": "d", "state": "succeeded", "stream_id": str(UUID(int=30)), "outcome_seq": 4}]
)


class Said:
    """A connection that answers each statement with the same rows, and keeps what it was told."""

    def __init__(self, *rows: Any) -> None:
        self.rows, self.told = rows, list[Any]()

    def execute(self, query: Any, params: Any = None) -> Said:
        self.told.append(params)
        return self

    def fetchone(self) -> Any:
        return self.rows[0] if self.rows else None

    def fetchall(self) -> Sequence[Any]:
        return self.rows


class Statement:
    """A prepared statement that keeps what it was told, too."""

    def __init__(self, rows: list[Any], told: list[Any]) -> None:
        self._rows, self._told = rows, told

    def rows(self, connection: Any, params: Any) -> list[Any]:
        self._told.append(params)
        return self._rows


def question(**changes: Any) -> Question:  # Any: fields
    by = Authority(
        UUID(int=6), None, USER, "openai", {"pay": Bound("ALLOW_WITH_CAPS", (Cap("month", 1, None),))}
    )
    fields = {
        "identity_id": AGENT,
        "tool_id": UUID(int=2),
        "authority": by,
        "run_id": RUN,
        "now": NOW,
        "key": "k",
        "dedupe_digest": "d",
        "dedupe_since": NOW - timedelta(1),
        **changes,
    }
    return Question(**fields)


def ask_standing(names: Names) -> Answers:
    told: Answers = []
    in_line = question(
        authority=replace(
            question().authority, line=LINE, credential_id=UUID(int=7), started_by_id=UUID(int=8)
        )
    )
    for grant in TERMS:
        for users in (
            None,
            [],
            [["ALLOW", [{"per": "hour", "count": 2}], "DENY"]],
            [["ALLOW", [{}], "DENY"]],
        ):
            for asked, parents in (
                (question(), None),
                (question(), []),
                (in_line, [PARENT_ROW, [*PARENT_ROW[:-1], None]]),
                (in_line, [PARENT_ROW]),
            ):
                text = json.dumps([*ACTORS, "active", False, True, grant, users, parents])
                told.append(_read(names, asked, text, SEEN))
    plain, capped = [*PARENT_ROW[:-1], terms()], PARENT_ROW
    for rows in ([plain, plain], [plain, capped], [capped, plain], [plain, [*PARENT_ROW[:-1], None]]):
        for grant in (None, terms()):
            text = json.dumps([*ACTORS, "active", False, True, grant, None, rows])
            told.append(_read(names, in_line, text, None))
    signed: list[tuple[Any, ...]] = [(), ((None,),), ((False,),), ((True,),)]
    for found in signed:
        told.append(
            _read(
                names,
                question(),
                json.dumps([*ACTORS, "active", True, False, TERMS[3], None, None]),
                None,
                found,
            )
        )
    for left in (
        ["active", None, None, True, True, True, None, None],
        [*ACTORS, [PARENT_ROW[:-2], PARENT_ROW[:-2]]],
        [*ACTORS, [PARENT_ROW[:-2]]],
    ):
        told += [_safe(lambda left=left, line=line: names["actors_of"](left, line)) for line in ((), LINE)]  # type: ignore[misc]  # bound now
    stand: list[list[Any]] = [[], [(list(ACTORS),)]]
    for rows in stand:
        said = Said(*rows)
        told += [names["read_actors"](said, AGENT, in_line.authority), said.told]
    return told + _ask_whole(names, in_line)


def _read(
    names: Names, asked: Question, text: str, seen: str | None, found: tuple[Any, ...] = ((True,),)
) -> object:
    said = Said(*found)
    try:
        answer = names["read_answer"](said, asked, text, seen)
    except ValueError as error:
        return str(error)
    windows = list(names["list_windows"](asked, answer.standing))
    return repr(answer), said.told, windows, answer.may_be_kept, replace(answer, counted=True).may_be_kept


def _ask_whole(names: Names, in_line: Question) -> Answers:
    told: Answers = []
    text = json.dumps([*ACTORS, "active", False, True, TERMS[2], None, [PARENT_ROW, PARENT_ROW]])
    bare = json.dumps([*ACTORS, "active", False, True, TERMS[1], None, None])
    for asked in (in_line, question(), question(key=""), question(authority=NOBODY)):
        for rows in (
            [],
            [(text if asked is in_line else bare, SEEN)],
            [(text if asked is in_line else bare, None)],
        ):
            heard: list[Any] = []
            names["_STANDING_OF_READ"] = Statement(rows, heard)
            names["_STANDING_OF_WRITE"] = Statement(rows, heard)
            used = [(1, 2, Decimal(3)), (2, 4, Decimal(5))]
            said = Said(*(used if asked is in_line else used[:1]))
            answer = names["read_standing"](said, asked)
            told += [repr(answer), list(heard), list(said.told), answer.may_be_kept]
    return told


ASKED: dict[ModuleType, Callable[[Names], Answers]] = {caps: ask_caps, standing: ask_standing}
# A change that nobody could see, and why.
EQUAL: dict[str, str] = {}


@pytest.mark.parametrize("module", ASKED, ids=lambda module: module.__name__)
def test_whatever_is_changed_is_seen(module: ModuleType) -> None:
    check_that_each_is_seen(module, ASKED[module], EQUAL)
