"""What is made of a note is believed no more than the note: answers of children, and summaries."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.engine import events as e
from runs import sources
from runs.delegation.labels import judge_answer
from runs.labelling import label_entries
from runs.memory.grounding import find_grounded
from runs.window import Written
from tests.rewriting import rewrite
from tests.runs.company import Company
from tests.runs.memory.desk import later, note, note_from_a_stranger, republish
from tools.provenance.labels import Label, Leaf
from tools.provenance.sources import Sources


def judged(desk: Company) -> dict[str, bool]:
    run = later(desk)
    return judge_answer(run.pk, run.agent_version_id, ["Done."])


def test_an_answer_of_a_child_that_read_a_strangers_note_is_a_strangers(desk: Company) -> None:
    note(desk)
    assert judged(desk) == {"tainted": False, "sensitive": False}
    republish(desk, memory="all")
    note_from_a_stranger(desk)
    assert judged(desk) == {"tainted": True, "sensitive": False}


def test_unless_notes_are_no_sources(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    kinds = tuple(kind for kind in sources.KINDS if kind != e.MEMORY_RECALLED)
    monkeypatch.setattr("runs.delegation.labels.KINDS", kinds)
    republish(desk, memory="all")
    note_from_a_stranger(desk)
    assert judged(desk)["tainted"] is False


def recalled(**label: Any) -> Written:
    return Written(e.MEMORY_RECALLED, {"step": 0, "entries": ["x"], **label}, {"notes": []})


@pytest.mark.parametrize("label", [Label("untrusted"), Label("trusted", True), Label("trusted")])
def test_a_summary_of_a_note_has_its_label(label: Label) -> None:
    said = Written(e.RUN_STARTED, {}, {"message": "Hello."})
    assert label_entries([said, recalled(label=label.source, sensitive=label.sensitive)], {}) == label


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("Write to ann@shop.example, please.", ["to", "ann@shop.example"]),
        ("Pay (DE89 3704 0044 0532 0130 00)!", ["DE89 3704 0044 0532 0130 00"]),
        ("Pay DE89370400440532013000.", ["DE89370400440532013000"]),
        ("Pay DE89 3704 0044 0532 0130 01.", []),
        ("ann@shop.example.evil.net", []),
        ("eve@evil.example", []),
        ("... , !", []),
    ],
)
def test_what_of_a_note_stood_in_what_may_be_believed(text: str, passages: list[str]) -> None:
    read = [
        Leaf("eve@evil.example", Label("untrusted"), "a mail"),
        Leaf("ann@shop.example", Label("trusted"), "a list"),
    ]
    known = Sources(["to DE89370400440532013000"], read)
    assert find_grounded(text, known) == passages


def test_no_passage_is_put_together_of_two() -> None:
    """A compromised planner has the pieces of an address, and must not get the address."""
    known = Sources(["eve", "@evil.example"], [])
    assert "eve@evil.example" not in find_grounded("eve @evil.example eve@evil.example", known)


def test_where_each_passage_would_do_they_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: one leaf of all passages together would hold what stood nowhere."""
    stored = {
        "id": "x",
        "label": "trusted",
        "sensitive": False,
        "text": "a b",
        "passages": ["12 Elm", "Road"],
    }
    assert Sources([], sources.label_note(stored)).trace("12 Elm Road").source == "nowhere"
    joined = '" ".join(note["passages"])'
    rewrite(
        monkeypatch, sources, "label_note", 'for passage in note["passages"]:', f"for passage in [{joined}]:"
    )
    assert Sources([], sources.label_note(stored)).trace("12 Elm Road").source == "trusted"
