"""What becomes of a call by all that is known of it, changed in every way at every place: each is seen.

As in test_wide_mutants; how things stand is given, as the database would have it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import psycopg
import pytest

from agentops.errors import ValidationFailed
from tests.tools.execution import NOBODY, make_call, make_spec
from tests.tools.mutating import check_that_each_is_seen
from tests.tools.test_policy import GOOD, GRANT, PARENT
from tests.tools.test_policy_mutants import Answers, Names
from tools import assessment
from tools.authority import Bound, Reason, Standing, TableAnswer, WaiverTerms
from tools.calls import Call
from tools.caps import Cap
from tools.provenance.judging import Meant
from tools.provenance.plans import Planned
from tools.provenance.sources import Sources
from tools.standing import Answer, Authority, Question, SeenEffect

pytestmark = [pytest.mark.attacks, pytest.mark.slow]

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN, AGENT, USER = UUID(int=3), UUID(int=4), UUID(int=5)

# --- assessment: what all that comes to ---

SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
PAY: dict[str, Any] = {
    "name": "pay",
    "effect": "irreversible",
    "idempotency": "honours_key",
    "dedupe_on": ("order", "amount"),
    "dedupe_window_s": 60.0,
    "amount_argument": "amount",
    "input_schema": SCHEMA,
}
EFFECT = SeenEffect("run-1:3:get_order:0", "", "succeeded", RUN, 4)


def calls() -> list[Call]:
    pay = make_spec(**PAY)
    lines = make_spec(**{**PAY, "amount_argument": "lines.*.sum", "dedupe_on": ("order", "lines")})
    return [
        make_call(pay, {"order": "A", "amount": "10.50"}),
        make_call(pay, {"order": "A", "amount": "010.5"}),
        make_call(pay, {"order": "A"}),
        make_call(pay, {"amount": "5"}),
        make_call(pay, {"order": "A", "amount": "x"}),
        make_call(lines, {"order": "A", "lines": [{"sum": "1.0"}, {"sum": 2}]}),
        make_call(make_spec(**{**PAY, "amount_argument": "", "dedupe_on": ()}), {"order": "A"}),
        make_call(make_spec(**{**PAY, "effect": "read"}), {"order": "A", "amount": "1"}),
        make_call(pay, {"order": "A", "amount": "10.50"}, undoes="key"),
        make_call(lines, {"order": "A", "lines": {"sum": "1.0"}}),
        make_call(lines, {"order": "A", "lines": [["1.0"]]}),
        make_call(make_spec(**{**PAY, "amount_argument": ""}), {"order": "A", "": "x"}),
        make_call(make_spec(**{**PAY, "effect": "reversible"}), {"order": "A", "amount": "1"}),
    ]


def standings() -> list[Standing]:
    waived = WaiverTerms((str(AGENT), str(USER)), make_spec(**PAY).digest, NOW + timedelta(1), True)
    capped = replace(
        GRANT, decision="ALLOW_WITH_CAPS", caps=(Cap("day", 3, Decimal(30)),), valid_until=NOW + timedelta(9)
    )
    return [
        GOOD,
        replace(GOOD, grant=None),
        replace(GOOD, grant=replace(GRANT, waiver=waived, veto_s=9, confirmation=True)),
        replace(GOOD, grant=capped, for_user=(Bound("ALLOW", (Cap("day", 1, None),)),)),
        replace(GOOD, tool_state="quarantined"),
        replace(GOOD, parents=(PARENT, replace(PARENT, grant=capped, limits={"pay": Bound("ALLOW")}))),
        replace(GOOD, parents=(replace(PARENT, grant=None, limits={}),)),
    ]


def ask_assessment(names: Names) -> Answers:
    told: Answers = []
    limits = {"pay": Bound("ALLOW_WITH_CAPS", (Cap("call", None, Decimal(99)),))}
    for by in (NOBODY, replace(NOBODY, limits=limits), replace(NOBODY, limits={})):
        for call in calls():
            for one in standings():
                told.append(_assess(names, call, by, Answer(one, False)))
    known = Answer(GOOD, True, key="k")
    for call in calls():
        told.append(_assess(names, call, NOBODY, known, said={"order": "the blue one"}))
        told.append(_digests(names, call))
        same = names["digest_arguments"](call.spec, call.arguments)
        for effects in (
            [replace(EFFECT, args_digest=same)],
            [replace(EFFECT, args_digest=same, state="started")],
            [EFFECT],
            [replace(EFFECT, key="other")],
            [replace(EFFECT, args_digest=same, state="failed"), EFFECT],
        ):
            told.append(_assess(names, call, NOBODY, replace(known, seen=tuple(effects))))
    for meant in (None, Meant(Sources(), {}), Meant(Sources(), {"pay": Planned(1)})):
        told.append(_assess(names, calls()[0], NOBODY, known, meant=lambda meant=meant: meant))
    return [*told, *_ask_broken(names), *_ask_tables(names), *_ask_refused(names), *_ask_anew(names)]


def _assess(names: Names, call: Call, by: Authority, known: Answer | None, **more: Any) -> object:
    found = names["assess"](call, by=by, now=NOW, known=known, **more)
    bound = found.bound_to({"a": "b"}).digest if found.digest else ""
    return repr(replace(found, answer=None)), found.verdict, found.claims, bound


def _digests(names: Names, call: Call) -> object:
    with suppress(ValidationFailed):
        return (
            names["digest_for_dedupe"](call.spec, call.arguments),
            names["_digest_alike"](call),
            names["alike_since"](call, NOW),
        )
    return "no amount"


def _ask_broken(names: Names) -> Answers:
    """An error while deciding denies, unless the database is away."""
    told: Answers = []
    for error in (ValueError("x"), ValidationFailed("bad", "words"), psycopg.OperationalError("away")):

        def fail(*_: Any, error: Exception = error, **__: Any) -> Any:
            raise error

        try:
            told.append(_assess(names, calls()[0], NOBODY, Answer(GOOD, False), meant=fail))
        except psycopg.OperationalError:
            told.append("raised")
    return told


def _ask_tables(names: Names) -> Answers:
    """What a decision table said is bound with who said it."""
    told: Answers = []
    real = names["ask_tables"]
    for answers in (
        {},
        {GRANT.id: TableAnswer("ALLOW", "so", ("t", "3"), None)},
        {
            GRANT.id: TableAnswer("ALLOW_WITH_CAPS", "so", ("t", "3"), Decimal(99)),
            UUID(int=1): TableAnswer("DENY", "", (), None),
        },
    ):
        names["ask_tables"] = lambda *_, answers=answers: answers
        told.append(
            _assess(
                names,
                calls()[0],
                NOBODY,
                Answer(replace(GOOD, grant=replace(GRANT, policy_table=UUID(int=9))), False),
            )
        )
    names["ask_tables"] = real
    return told


def _ask_refused(names: Names) -> Answers:
    """Whatever else stands in the way denies, and is told after the policy's own reasons."""
    told: Answers = []
    for name in ("find_unserved", "find_unended", "find_outdated"):
        real = names[name]
        names[name] = lambda *_, name=name: Reason("tool", name, "words")
        for one in (GOOD, replace(GOOD, grant=None)):
            for seen in ((), (replace(EFFECT, key="other"),)):
                told.append(_assess(names, calls()[0], NOBODY, Answer(one, False, seen)))
        names[name] = real
    return told


def _ask_anew(names: Names) -> Answers:
    """Where nothing is known, what is asked of the database; that it answers is all that stands in for it."""
    told: Answers = []
    names["borrowed"] = nullcontext

    def read(_: object, asked: Question) -> Answer:
        told.append(repr(asked))
        return Answer(GOOD, False)

    names["read_standing"] = read
    for call in calls():
        told.append(_assess(names, call, NOBODY, None))
    return told


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep mutants that fall over from filling the log."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


ASKED: dict[ModuleType, Callable[[Names], Answers]] = {assessment: ask_assessment}
# A change that nobody could see, and why.
EQUAL: dict[str, str] = {}


@pytest.mark.parametrize("module", ASKED, ids=lambda module: module.__name__)
def test_whatever_is_changed_is_seen(module: ModuleType) -> None:
    check_that_each_is_seen(module, ASKED[module], EQUAL)
