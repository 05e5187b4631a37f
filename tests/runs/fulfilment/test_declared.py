"""What can be declared of a type of task, in code and in a document alike."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from runs.fulfilment.declared import Undeclarable, read_tasks
from runs.fulfilment.words import describe
from runs.provisioning.checking import SCHEMA_PATH

ENDED = {"ended": ["completed"]}
SAME = {"call": "get_order", "at": "/total"}


def task(*checks: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "refund", "fulfilled_when": list(checks), **changes}


def called(**more: Any) -> dict[str, Any]:
    return {"called": "refund", **more}


def given(**condition: Any) -> dict[str, Any]:
    return called(**{"with": [{"at": "/amount", **condition}]})


def fits_schema(tasks: Any) -> bool:
    defs = json.loads(SCHEMA_PATH.read_text())["$defs"]
    schema = {**defs["version"]["properties"]["tasks"], "$defs": defs}
    return jsonschema_rs.validator_for(schema).is_valid(tasks)


GOOD = [
    task(ENDED),
    task(ENDED, description="Money back."),
    task({"ended": ["completed", "halted"]}),
    task(called()),
    task(called(times=0)),
    task(called(times=3)),
    task(called(times={"at_least": 1})),
    task(called(times={"at_most": 2})),
    task(called(times={"at_least": 1, "at_most": 2}, after="get_order")),
    task(given(**{"is": "50.00"}), given(**{"is": None}), given(**{"is": 5}), given(**{"is": True})),
    task(given(same_as=SAME), given(same_as={**SAME, "in": "arguments"})),
    task(given(**{"from": "words"}), given(**{"from": "principal"})),
    task(called(**{"with": [{"at": "", "is": 1}]})),
    task({"answer": {}}, {"answer": {"contains": ["a"], "lacks": ["b"], "most_characters": 9}}),
]
BAD = [
    {},
    "refund",
    task(),
    task(ENDED, name=""),
    task(ENDED, name="Refund"),
    task(ENDED, name="a" * 65),
    task(ENDED, name=7),
    task(ENDED, description="x" * 501),
    task(ENDED, description=1),
    task(ENDED, more=1),
    task("called"),
    task({}),
    task({"model": "was it polite?"}),
    task({**ENDED, "called": "refund"}),
    task({"ended": []}),
    task({"ended": ["well"]}),
    task({"ended": "completed"}),
    task(called(times=-1)),
    task(called(times=True)),
    task(called(times=1.5)),
    task(called(times="1")),
    task(called(times=1001)),
    task(called(times={})),
    task(called(times={"least": 1})),
    task(called(after="")),
    task({"called": "a b"}),
    task({"called": 1}),
    task(called(**{"with": {}})),
    task(called(**{"with": [{"at": "/amount"}]})),
    task(called(**{"with": [{"is": 1}]})),
    task(given(**{"is": 1, "from": "words"})),
    task(given(**{"is": [1]})),
    task(given(**{"is": {}})),
    task(given(**{"from": "model"})),
    task(given(same_as="get_order")),
    task(given(same_as={"call": "get_order"})),
    task(given(same_as={**SAME, "in": "both"})),
    task(called(**{"with": [{"at": "amount", "is": 1}]})),
    task(called(**{"with": [{"at": "/" + "a" * 200, "is": 1}]})),
    task(called(**{"with": [{"at": 1, "is": 1}]})),
    task({"answer": "yes"}),
    task({"answer": {"matches": "^a"}}),
    task({"answer": {"contains": "a"}}),
    task({"answer": {"contains": [" "]}}),
    task({"answer": {"lacks": ["a" * 201]}}),
    task({"answer": {"most_characters": 0}}),
    task(*[ENDED] * 21),
]


@pytest.mark.parametrize("one", GOOD, ids=json.dumps)
def test_what_can_be_checked(one: Any) -> None:
    [read] = read_tasks([one])
    assert all(describe(check) for check in read.checks)
    assert fits_schema([one])


@pytest.mark.parametrize("one", BAD, ids=json.dumps)
def test_what_cannot_be_checked_is_refused_here_and_in_a_document(one: Any) -> None:
    with pytest.raises(Undeclarable):
        read_tasks([one])
    assert not fits_schema([one])


@pytest.mark.parametrize(
    "times", [{"at_least": 2, "at_most": 1}, {"at_least": 0}], ids=["more_than_most", "whatever_happens"]
)
def test_what_only_the_services_refuse(times: Any) -> None:
    """A schema compares no two values."""
    with pytest.raises(Undeclarable):
        read_tasks([task(called(times=times))])


@pytest.mark.parametrize(
    "tasks", [None, {}, "refund", [task(ENDED)] * 2, [task(ENDED, name=f"t{n}") for n in range(21)]]
)
def test_each_name_once_and_not_too_many(tasks: Any) -> None:
    with pytest.raises(Undeclarable):
        read_tasks(tasks)


def test_a_fault_says_where_it_is() -> None:
    with pytest.raises(Undeclarable, match=r"tasks/0/fulfilled_when/1/with/0/from: one of words, principal"):
        read_tasks([task(ENDED, given(**{"from": "model"}))])


def test_it_says_which_tools_it_names() -> None:
    [read] = read_tasks(
        [task(called(after="a", **{"with": [{"at": "", "same_as": {"call": "b", "at": ""}}]}))]
    )
    assert read.tools == {"refund", "a", "b"}


def test_what_is_asked_for_in_words() -> None:
    [read] = read_tasks(
        [
            task(
                {**given(same_as=SAME), "times": 1, "after": "get_order"},
                called(times=0),
                called(times={"at_least": 1, "at_most": 3}),
                {"answer": {"lacks": ["sorry"], "most_characters": 2000}},
            )
        ]
    )
    assert [describe(check) for check in read.checks] == [
        "refund with /amount as get_order answered at /total, after an answer of get_order, is carried out exactly"
        " once",
        "refund is not carried out",
        "refund is carried out at least once and at most 3 times",
        "it gives an answer without “sorry”, of at most 2,000 characters",
    ]
