"""Of what no tool marks: the user said one day, and the call carries another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rewriting import rewrite
from tools.provenance import judging
from tools.provenance.declaration import read_declaration
from tools.provenance.judging import Meant, Resolved, judge
from tools.provenance.labels import Label, label_leaves
from tools.provenance.shapes import shapes_in
from tools.provenance.sources import USER, Sources

MOVING = read_declaration(
    "move", {"arguments": {"id": "identifier", "lines.*.sku": "identifier", "note": "content"}}
)
READ = {"free": ["2027-01-09"], "note": "come on 2027-02-03 at 7"}
ROWS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"day": "2027-01-05"}, "Move it to 2027-01-04.", ["day"]),
    ({"day": "2027-02-03"}, "Move it to 2027-01-04.", ["day"]),  # a stranger's text holds it
    ({"day": "2027-01-04"}, "Move it to 2027-01-04.", []),
    ({"day": "2027-01-09"}, "Move it from 2027-01-04.", []),  # trusted data hold it
    ({"day": "2027-01-05"}, "Move it to Tuesday.", []),  # they gave none: it had to be worked out
    ({"at": "2027-01-04T11:30"}, "To 2027-01-04 at 10:30, please", ["at"]),
    ({"at": "2027-01-04T10:30"}, "To 2027-01-04 at 10:30, please", []),
    ({"at": "2027-01-04 11:30"}, "To (2027-01-04, 10:30)!", ["at"]),
    ({"at": "2027-01-05t10:30"}, "To 2027-01-04 at 10:30", ["at"]),
    ({"guests": 8}, "A table for 4 on Tuesday", ["guests"]),
    ({"guests": 4.0}, "A table for 4 on Tuesday", []),
    ({"guests": 40}, "A table for 4 on Tuesday", []),  # of another form
    ({"on": True}, "A table for 4", []),
    ({"code": "B-2"}, "Of A-1 take b-1", ["code"]),
    ({"title": "Sync 9"}, "A sync of 2 people", []),  # a text
    ({"title": "9" * 41}, "1" * 41, []),
    ({"title": "9" * 40}, "1" * 40, ["title"]),
    ({"days": ["2027-01-04", "2027-01-05"]}, "Move it to 2027-01-04.", ["days"]),
    ({"when": {"day": "2027-01-05"}}, "Move it to 2027-01-04.", ["when.day"]),
    ({"note": "2027-01-05", "id": "2027-01-05"}, "2027-01-04", []),
    ({"lines": [{"sku": "A-7", "count": 5}]}, "2 of A-7", ["lines.count"]),
    ({"day": "", "more": None}, "2027-01-04", []),
]  # fmt: skip


def others(arguments: dict[str, Any], said: str, **more: Any) -> list[str]:
    sources = Sources([said], label_leaves(READ, ((("free", "*"), Label("trusted")),), "step 1"))
    found = judge("move", more.pop("effect", "reversible"), MOVING, arguments, Meant(sources, **more))
    asked = [each for each in found if each.code == "other_than_said"]
    assert all(each.word == "REQUIRE_APPROVAL" for each in asked)
    return [each.detail.partition(" ")[0] for each in asked]


@pytest.mark.parametrize(("arguments", "said", "paths"), ROWS)
def test_a_value_of_the_form_that_the_user_gave_is_theirs_or_a_person_is_asked(
    arguments: dict[str, Any], said: str, paths: list[str]
) -> None:
    assert others(arguments, said) == paths


def test_a_mere_question_and_what_was_looked_up_are_let_be() -> None:
    assert others({"day": "2027-01-05"}, "on 2027-01-04?", effect="read") == []
    found = (Resolved(("day",), "2027-01-05", USER),)
    assert others({"day": "2027-01-05"}, "the day after 2027-01-04", resolved=found) == []


def test_a_form_is_its_digits_as_zeros() -> None:
    assert shapes_in("On 2027-01-04, at 9:30, W-1 for Ann.") == {"0000-00-00", "0:00", "w-0"}


def test_without_the_look_another_day_goes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(monkeypatch, judging, "judge", 'if effect != "read" else ()', "if False else ()")
    sources = Sources(["Move it to 2027-01-04."])

    assert judging.judge("move", "reversible", MOVING, {"day": "2027-06-01"}, Meant(sources)) == []
