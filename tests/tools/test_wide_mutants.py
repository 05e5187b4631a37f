"""The modules that decide what was meant, bound and let out, changed in every way at every place: each is seen.

What no case can tell from the right one is listed with the reason, and with nothing else in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from agentops.errors import ValidationFailed
from tests.tools import test_bindings as bound
from tests.tools.execution import make_call, make_spec
from tests.tools.mutating import check_that_each_is_seen
from tests.tools.provenance import test_judging as judged
from tests.tools.provenance import test_links as linked
from tests.tools.test_policy import GOOD, GRANT, PARENT
from tests.tools.test_policy_mutants import Answers, Names, rows_of
from tools import bindings
from tools.amounts import LARGEST
from tools.bindings import MadeDecision
from tools.decisions.deciding import compile_definition
from tools.decisions.definitions import read_definition
from tools.provenance import egress, links, plans
from tools.provenance.plans import Candidate, Planned
from tools.provenance.texts import plain
from tools.provenance.wording import words_for
from tools.tables import policies
from tools.tables.in_force import VersionInForce

pytestmark = [pytest.mark.attacks, pytest.mark.slow]

# --- bindings: is it what was decided ---


def ask_bindings(names: Names) -> Answers:
    told: Answers = []
    for arguments, decisions, _ in rows_of(bound.test_an_argument_is_what_was_decided_last_of_the_same):
        told.append(list(names["find_unbound"](bound.BOUND, arguments, decisions)))
    free = {"amount": {**bound.BOUND["amount"], "inputs": {}}}
    told.append(list(names["find_unbound"](free, {"amount": 1}, [])))
    two = {"amount": {**bound.BOUND["amount"], "inputs": {"order": "order_id", "user": "user"}}}
    for made in ({"order": "A"}, {"order": "A", "user": "U"}, {"order": "B", "user": "U"}):
        for arguments in ({"order_id": "A", "user": "U", "amount": 5}, {"order_id": "A", "amount": 5}):
            decision = MadeDecision("eligibility", made, {"amount": 5})
            told.append(list(names["find_unbound"](two, arguments, [decision])))
    for one, other, _ in rows_of(bound.test_numbers_are_the_same_however_they_are_written):
        told += [names["is_same"](one, other), names["is_same"](other, one)]
    told += [names["is_same"](one, other) for one, other in ((True, True), (1, 2), ("a", "b"), (None, None))]
    told += [
        names["is_same"](f"{LARGEST:f}", f"{LARGEST:f}.0"),
        names["is_same"](None, "1"),
    ]
    for after, _ in rows_of(bound.test_a_binding_may_only_get_tighter):
        told.append(names["keeps_bindings"](bound.BOUND, after))
    told.append(names["keeps_bindings"](bound.BOUND, {"amount": {**bound.BOUND["amount"], "tool": "other"}}))
    told.append(names["keeps_bindings"]({**bound.BOUND, "fee": bound.BOUND["amount"]}, bound.BOUND))
    wrongs: list[dict[str, Any]] = [
        {"tool": ""}, {"output": ""}, {"tool": 1}, {"inputs": []}, {"inputs": {"a": 1}}, {"more": 1},
    ]  # fmt: skip
    broken = [{"amount": {**bound.BOUND["amount"], **wrong}} for wrong in wrongs]
    for declared in (*rows_of(bound.test_what_binds_nothing_is_refused), *broken, bound.BOUND, {}):
        told.append(list(names["find_binding_faults"](declared, {"amount": {}, "order_id": {}})))
    return told


# --- plans: was it asked for ---

REQUESTS = [
    "",
    "Email Ann",
    "Email Ann and Bob",
    "Email Ann, Bob, ann@x.org and call 12 at https://x.example",
    "Email everyone",
    "Email my old friends",
    "pay it",
    "Email " + ", ".join(f"p{n}@x.org" for n in range(30)),
    "Pay these. Now",
    "Send the two big boxes",
    "Email Ann and Ann",
    "What is new?",
]
LIMITS = (None, 0, 1, 3)
TEMPLATES: tuple[dict[str, str], ...] = (
    {},
    {"to": "Ann"},
    {"to": "*"},
    {"to": "Ann", "text": "hello"},
    {"to": "Ann Lee"},
)
VALUES: tuple[dict[str, object], ...] = (
    {}, {"to": "Ann"}, {"to": "Joann"}, {"to": ["Bob", "Ann"]}, {"to": [], "text": "hello"},
    {"to": "Ann Lee", "text": "well, hello"}, {"to": 5},
    {"to": ["Ann\nLee"]},
)  # fmt: skip


def ask_plans(names: Names) -> Answers:
    candidates = [
        Candidate("read_mail", "read", words_for("read_mail", ())),
        Candidate("send_email", "reversible", words_for("send_email", ())),
        Candidate("pay", "irreversible", words_for("pay", ())),
    ]
    told: Answers = []
    for request in REQUESTS:
        plan = names["derive"](request, candidates)
        told += [_shown(plan), names["means_several"](request), names["names_in"](request)]
        told.append(_shown(names["derive_all"](["Pay Ann", request], candidates)))
    each = [names["Planned"](limit, template) for limit in LIMITS for template in TEMPLATES]
    for one in each:
        for other in (*each[:1], names["Planned"](2, {"to": "Bob"})):
            for near in ((), ("more", "rest", "pay", "third")):
                proposed, widest = {"pay": one, "more": one}, {"pay": other, "rest": other}
                told.append(_shown(names["admit"](proposed, widest, near)))
            told.append(_shown(names["join"]({"pay": one, "own": one}, {"pay": other, "new": other})))
        for used in (0, 1, 3):
            for arguments in VALUES:
                told.append(names["find_deviation"]({"pay": one}, "pay", used, arguments))
                told.append(names["find_deviation"]({"pay": one}, "other", used, arguments))
    return told


def _shown(plan: dict[str, Planned]) -> list[object]:
    return [(name, planned.at_most, dict(planned.arguments)) for name, planned in plan.items()]


# --- links: which of several was named ---

THINGS: list[tuple[str, list[Any], str, Any]] = [
    *rows_of(linked.test_another_thing_than_the_one_that_was_named_needs_a_person),
    ("Write to Ann Lee", [[{"id": "S-1", "name": "Ann Lee"}, "x"]], "S-1", ""),
    ("Write to Ann Lee", [{"a": {"id": 1, "name": "Ann Lee"}, "b": {"id": 2, "name": "Bo"}}], "2", ""),
    ("Write to key", [{"key": {"id": "K"}, "other": {"id": "L"}}], "L", ""),
    ("yes please", [[{"id": "yes", "on": True}, {"id": "no", "on": None}]], "no", ""),
    ("Ann Lee", [[{"id": "S-1", "name": "Ann Lee"}, {"id": "S-2", "name": "Ann " * 30}]], "S-2", ""),
    ("Take long", [[{"id": "S-1", "name": "long" + " x" * 38}, {"id": "S-2", "name": "b"}]], "S-2", ""),
    ("Take long", [[{"id": "S-1", "name": "long" + " x" * 39}, {"id": "S-2", "name": "b"}]], "S-2", ""),
    ("Take a or the", [[{"id": "S-1", "name": "the a"}, {"id": "S-2", "name": "b"}]], "S-2", ""),
    ("Ann Lee", [[{"in": [{"id": "S-1", "name": "Ann Lee"}, {"id": "S-2", "name": "Bo"}]}]], "S-2", ""),
    ("Ann", [[{"id": "S-1", "tags": ["Ann"]}, {"id": "S-2", "tags": ["Bo"]}]], "S-2", ""),
    ("Ann", [[{"id": "S-1", "n": {"x": "Ann"}}, {"id": "S-2", "n": {"x": "Bo"}}]], "S-2", ""),
    ("Ann", [linked.PEOPLE, [{"id": "Q-1", "who": "Ann"}, {"id": "Q-2", "who": "S-1"}]], "Q-1", ""),
    (
        "Ann Lee",
        [
            [{"id": "T-1", "by": "a@x"}, {"id": "T-2", "by": "b@x"}],
            [{"m": "a@x", "n": "Ann Lee"}, {"m": "b@x", "n": "Bo"}],
        ],
        "T-2",
        "",
    ),
    (
        "Ann",
        [[{"id": "one", "name": "Ann"}, {"id": "two", "name": "Bo"}]] * 9
        + [[{"id": "two", "name": "Ann"}, {"id": "six", "name": "Cy"}]],
        "two",
        "",
    ),
    # A name counts before mere words, if any thing has one; the one with more of it is the other.
    (
        "Write to Bob about skiing",
        [[{"id": "S-1", "name": "Bob skiing"}, {"id": "S-2", "name": "Bob"}, {"id": "S-3", "name": "Cy"}]],
        "S-2",
        "",
    ),
    ("Write to Ann Lee", [[*linked.PEOPLE, {"id": "S-3", "name": "Cy"}]], "S-2", ""),
    # Things that hold the same value are no others; what one list does not tell takes nothing from what another does.
    (
        "Ask Ann",
        [[{"id": "B", "v": "X", "name": "Ann"}, *({"v": "X", "name": f"n{n}"} for n in range(8))]],
        "X",
        "",
    ),
    ("Write to Ann Lee", [linked.PEOPLE, [{"id": "S-2", "x": "q"}, {"id": "Z", "x": "r"}]], "S-2", ""),
]


def ask_links(names: Names) -> Answers:
    told: Answers = []
    for words, results, taken, _ in THINGS:
        said, things = names["Said"](), names["Things"]()
        for text in words.split(". "):
            said.add(text)
        for result in results:
            things.add(result)
        told.append((things.is_another_named(plain(taken), said), sorted(said.words), sorted(said.names)))
        told.append(sorted(names["words_of_things"](map(plain, words.split()))))
    return told


# --- egress: does it carry what may not leave ---

KEPT = [
    "secret-4711", "abc", "abcd", "my key is k9-77. and more", "12345678", "swordfish", "Straße 5", "....", "ann@x.org",
    "!!!! ????", "the k9-7 here", "DE89", "a1-b", "anna@xy.org",
]  # fmt: skip
PAYLOADS = [
    *rows_of(judged.test_what_is_sensitive_is_found_however_it_is_wrapped),
    "",
    "abc",
    "abcd",
    "abcde",
    "k9-77",
    "k9 77",
    "1 2 3 4 5 6 7 8",
    "87654321",
    "87654312",
    "s w o r d f i s h",
    "hsifdrows",
    "swordfish",
    "strasse 5",
    "....",
    "ann@x.org",
    "gro.x@nna",
    "nothing of it, 4711",
    "c2VjcmV0LTQ3MTE",
    "7365637265742d34373131",
    "!!!! ????",
    "a%20b",
    "c2Vjcm_=",
    "1234567",
    "annxorg",
    "a n n x o r g",
    "secret",
    "4711 secret",
    "secret 4711",
    "k9-7",
    "de89",
    "d e 8 9",
    "a1-b",
    "a1b",
    "abcd secret-4711",
    "gro.yx@anna",
    "a n n a x y o r g",
]
TEXTS = [
    "see https://x.example/a?b=1.",
    "www.x.org/a, or a.b/c",
    "ann@x.org!",
    "DE89 3704 0044 0532 0130 00",
    "DE12",
    "no",
    " ann@x.org ",
    "https://x.org y",
]


def ask_egress(names: Names) -> Answers:
    told: Answers = []
    for kept in (*([each] for each in KEPT), KEPT, KEPT[::-1], ["secret-4711", "abcd", "secret-4711"], []):
        secrets = names["Secrets"]()
        for value in kept:
            secrets.add(plain(value))
        told += [secrets.find_in([payload]) for payload in PAYLOADS]
        told += [secrets.find_in(PAYLOADS), secrets.find_in(["nothing", "s e c r e t - 4 7 1 1"])]
    for text in TEXTS:
        told += [list(names["find_addresses"](text)), names["is_link"](text)]
    return told


# --- policies: what a table's answer means ---

NOW = datetime(2027, 1, 2, tzinfo=UTC)


def version_of(outputs: list[dict[str, str]], rules: list[dict[str, Any]], **more: Any) -> VersionInForce:
    inputs = more.pop("inputs", [{"expression": "amount", "type": "number"}])
    definition = read_definition({"inputs": inputs, "outputs": outputs, "rules": rules, **more})
    return VersionInForce("what-goes-out", 3, "d" * 64, compile_definition(definition))


def rule(test: str, *outputs: str) -> dict[str, Any]:
    return {"id": f"when {test}", "tests": [test], "outputs": list(outputs)}


VERDICT, CAP = {"name": "verdict"}, {"name": "cap_amount"}


def versions() -> Iterator[VersionInForce]:
    yield version_of([VERDICT], [rule("< 10", '"ALLOW"'), rule(">= 10", '"DENY"')])
    yield version_of(
        [VERDICT, CAP], [rule("< 10", '"ALLOW_WITH_CAPS"', "5"), rule(">= 10", '"ALLOW_WITH_CAPS"', '"5"')]
    )
    yield version_of([VERDICT, CAP], [rule("< 10", "7", "5"), rule(">= 10", "null", "null")])
    yield version_of([{"name": "other"}], [rule("-", '"ALLOW"')])
    yield version_of([VERDICT], [rule("< 10", '"ALLOW"'), rule("< 20", '"DENY"')], hit_policy="COLLECT")
    yield version_of([VERDICT], [rule("> 10", f'"{"LONG" * 20}"')])
    told = [{"expression": "argument to"}]
    yield version_of([VERDICT], [rule('"Ann"', '"ALLOW"'), rule("null", '"DENY"')], inputs=told)
    yield version_of([VERDICT], [rule('"pay"', '"ALLOW"')], inputs=[{"expression": "tool"}])
    yield version_of([VERDICT], [rule('"fine"', '"ALLOW"')], inputs=[{"expression": "weather"}])
    yield version_of([{**VERDICT, "default": '"DENY"'}], [rule("< 10", '"ALLOW"')])


def ask_policies(names: Names) -> Answers:
    told: Answers = [[names["is_known_input"](name) for name in ("amount", "argument to", "to", "argument")]]
    for version in versions():
        for amount in (None, Decimal(5), Decimal(15)):
            for arguments in ({}, {"to": "Ann"}, {"to": "Bob", "amount": 1}):
                call = make_call(make_spec(name="pay"), arguments)
                answer = names["answer_about"](version, call, amount, NOW)
                told.append((answer.decision, answer.detail, answer.named, answer.ceiling))
    # Which grants are asked about; that a version is in force is all that stands in for the database.
    names["borrowed"] = nullcontext
    first, second = (replace(GRANT, id=UUID(int=n), policy_table=UUID(int=n)) for n in (7, 8))
    call, by_hand = make_call(make_spec(name="pay"), {}), next(versions())
    for found in (None, by_hand):
        names["find_by_id"] = lambda connection, table, now, found=found: found
        for standing in (
            GOOD,
            replace(GOOD, grant=None),
            replace(GOOD, grant=first),
            replace(GOOD, grant=None, parents=(replace(PARENT, grant=second),)),
            replace(
                GOOD,
                grant=first,
                parents=(PARENT, replace(PARENT, grant=None), replace(PARENT, grant=second)),
            ),
        ):
            told.append(names["ask_tables"](call, Decimal(5), standing, NOW))
    return told


ASKED: dict[ModuleType, Callable[[Names], Answers]] = {
    bindings: ask_bindings, plans: ask_plans, links: ask_links, egress: ask_egress, policies: ask_policies,
}  # fmt: skip

# A change that nobody could see, and why.
SOONER = "what is looked at first is only a choice of what may be held; each is looked for afterwards"
EQUAL: dict[str, str] = {
    "if not self._parts: [never]": "among no values nothing is found, if later",
    "if wanted.words: [never]": SOONER,
    "elif not wanted.code: [always]": SOONER,
    "min(known, key=len).append(part) [max]": SOONER,
    "starts = [wanted.code, bare, bare[::-1]] if wanted.code or _may_hide(part, bare) else [] [always]": SOONER,
    "for start in {each[:_START] for each in starts if each}: [no condition]": SOONER,
    "for start in {text[at : at + _START] for text in squeezed for at in range(len(text) - _START + 1)}: [Add]": SOONER,
    "if not grants: [never]": "without a table nobody is asked, over a connection or none",
    "return {found.decider.outputs[0].name: decision.scalar()} if found.decider.outputs else {} [always]": (
        "a table without an output is refused before it can be in force"
    ),
}


@pytest.mark.parametrize("module", ASKED, ids=lambda module: module.__name__)
def test_whatever_is_changed_is_seen(module: ModuleType) -> None:
    check_that_each_is_seen(module, ASKED[module], EQUAL)


def test_a_table_without_an_output_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        version_of([], [rule("-")])
