"""What a run has been told and has read so far, labelled: what its calls' values can come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentops.database import borrowed
from agentops.engine import events as e
from tools.calls import ToolSpec
from tools.provenance.labels import Label, Leaf, bound_labels, label_leaves, leaves_of
from tools.provenance.sources import Sources
from tools.resolvers.declaration import Path
from tools.resolvers.matching import Candidate, read_candidates

if TYPE_CHECKING:
    from runs.session import Session

# The end user's own words, by the name that an entry's content has for them.
SAID = {e.RUN_STARTED: "message", e.MESSAGE_RECEIVED: "text", e.INPUT_RECEIVED: "text"}
_LET_THROUGH = (e.CALL_ALLOWED, e.CALL_GATED, e.CONFIRMATION_REQUESTED)
_LOOKED_UP = (*_LET_THROUGH, e.CALL_REFUSED)
JUDGED = (
    "tainted",
    "sensitive",
)  # facts of a child's answer: how far it is believed, and whether it may leave
KINDS = (
    *SAID,
    e.HANDOVER_ANSWERED,
    e.STEP_DECIDED,
    e.CALL_EDITED,
    e.CALL_SUCCEEDED,
    e.MEMORY_RECALLED,
    *_LOOKED_UP,
)
_QUERY = """
SELECT seq, kind, facts, content FROM ledger_entry WHERE stream = %s AND seq > %s AND seq <= %s AND kind = ANY(%s)
ORDER BY seq
"""

Stood = tuple[Path, Path]  # of the items in an answer, and of the identifier in an item
Told = tuple[int, str, dict[str, Any], Any]  # seq, kind, facts, content. Any: JSON


@dataclass(frozen=True, slots=True)
class Known:
    """A thing that a tool has answered with, and what the tool was given when it did."""

    candidate: Candidate
    given: Mapping[str, Any]  # Any: JSON

    def was_given(self, wanted: Mapping[str, Any]) -> bool:  # Any: JSON
        """Return whether the question held all of that: what was left out then might leave the thing out."""
        return all(name in self.given and self.given[name] == value for name, value in wanted.items())


@dataclass
class RunSources:
    """What was read up to ``seq``. ``words`` are the user's, as they wrote them, each with its seq."""

    sources: Sources = field(default_factory=Sources)
    words: list[tuple[int, str]] = field(default_factory=list)
    seq: int = 0
    tools: dict[tuple[int, int], str] = field(default_factory=dict)  # by step and call
    asked: dict[tuple[int, int], dict[str, Any]] = field(
        default_factory=dict
    )  # with what, of those that look up
    # Identifiers that tools which look up have answered with, by tool and where in the answer they stood.
    known: dict[str, dict[Stood, dict[str, list[Known]]]] = field(default_factory=dict)

    def add(self, told: Told, catalogue: dict[str, ToolSpec]) -> None:
        """Take up one more entry; what was erased says nothing."""
        seq, kind, facts, content = told
        if kind == e.STEP_DECIDED:
            self.tools |= {(facts["step"], call["call"]): call["tool"] for call in facts["calls"]}
            self._note_asked(facts["step"], (content or {}).get("calls", ()), catalogue)
        elif kind == e.RUN_STARTED and "delegation" in facts:
            self._take_over(seq, content or {})
        elif kind in SAID:
            self._hear(seq, str((content or {}).get(SAID[kind], "")))
        elif kind == e.HANDOVER_ANSWERED:
            text = str((content or {}).get("text", ""))
            self.sources.read([Leaf(text, Label("trusted"), f"a person's answer in step {facts['step']}")])
        elif kind == e.CALL_EDITED and content:
            self._note_asked(facts["step"], content["calls"], catalogue)
            label, where = Label("trusted"), f"a person's edit in step {facts['step']}"
            self.sources.read([Leaf(text, label, where) for text in find_written(content)])
        elif kind == e.CALL_SUCCEEDED and content:
            self._keep(facts, content.get("value"), catalogue)
            tool = self.tools.get((facts["step"], facts["call"]), "")
            self.sources.read(label_result(tool, facts, content.get("value"), catalogue))
            self.sources.read_lists(content.get("value"))
        elif kind == e.MEMORY_RECALLED and content:
            self.sources.read(leaf for each in content["notes"] for leaf in label_note(each))
        elif kind in _LET_THROUGH and content:
            for each in content.get("resolutions", ()):
                self._know(each)
        elif kind == e.CALL_REFUSED and content:
            self._take_up(facts["step"], content.get("candidates", ()))
        self.seq = seq

    def _take_over(self, seq: int, content: Mapping[str, Any]) -> None:  # Any: JSON
        """Of a task that another agent handed over, none of the words is the user's: they are as they were there."""
        for text in content.get("heard", ()):
            self._hear(seq, text)
        for each in content.get("given", ()):
            label = Label(each["source"], each["sensitive"])
            self.sources.read([Leaf(each["text"], label, "the task that it was given")])

    def _hear(self, seq: int, text: str) -> None:
        self.words.append((seq, text))
        self.sources.hear(text)

    def _keep(self, facts: dict[str, Any], value: Any, catalogue: dict[str, ToolSpec]) -> None:
        where = (facts["step"], facts["call"])
        tool, given = self.tools.get(where, ""), self.asked.get(where, {})
        for resolver in (each for spec in catalogue.values() for each in spec.resolvers if each.tool == tool):
            for found in read_candidates(value, resolver) or ():
                self._remember(tool, (resolver.items, resolver.value), Known(found, given))

    def _note_asked(self, step: int, calls: Iterable[dict[str, Any]], catalogue: dict[str, ToolSpec]) -> None:
        looking_up = {each.tool for spec in catalogue.values() for each in spec.resolvers}
        for call in calls:
            if call.get("tool") in looking_up and isinstance(call.get("arguments"), dict):
                self.asked[step, call["call"]] = call["arguments"]

    def _remember(self, tool: str, stood: Stood, known: Known) -> None:
        kept = self.known.setdefault(tool, {}).setdefault(stood, {})
        others = [each for each in kept.get(str(known.candidate.value), ()) if each.given != known.given]
        kept[str(known.candidate.value)] = [*others, known]

    def _take_up(self, step: int, candidates: Iterable[dict[str, Any]]) -> None:
        """What a lookup found and could not tell apart went back to the planner: it has read that."""
        for each in candidates:
            self._know(each)
            where, secret = f"looked up with {each['tool']} in step {step}", each["sensitive"]
            texts = (("value", each["value_from"]), ("label", each["label_from"]))
            self.sources.read([Leaf(str(each[name]), Label(source, secret), where) for name, source in texts])

    def _know(self, told: dict[str, Any]) -> None:
        stood = (tuple(told["items"]), tuple(told["path"]))
        known = Known(Candidate(told["value"], told["label"]), told.get("given", {}))
        self._remember(told["tool"], stood, known)


def label_result(
    tool: str, facts: Mapping[str, Any], value: Any, catalogue: Mapping[str, ToolSpec]
) -> Iterable[Leaf]:  # Any: JSON
    """Return the leaves of what a call was answered, labelled; ``facts`` are those of the entry that holds it.

    A tool that the version does not know any more has no labels: everything of it is a stranger's.
    """
    rules = catalogue[tool].declared.results if tool in catalogue else ()
    leaves = label_leaves(value, rules, f"{tool or 'a tool'} in step {facts['step']}")
    if "tainted" not in facts:
        return leaves
    # A child's answer is believed no more than what it had read, and leaves no more freely.
    return bound_labels(leaves, tainted=facts["tainted"], sensitive=facts["sensitive"])


def label_note(note: Mapping[str, Any]) -> Iterator[Leaf]:  # Any: JSON
    """Yield what a note of an earlier run is believed: no more than what that had read, and nothing that it made up.

    Also the user's words of then are not those of now, so they are trusted data like any.
    """
    where = f"its memory {note['id']}"
    if note["label"] == "untrusted":
        yield Leaf(note["text"], Label("untrusted", note["sensitive"]), where)
        return
    for passage in note["passages"]:
        yield Leaf(passage, Label("trusted", note["sensitive"]), where)


def find_written(edit: Mapping[str, Any]) -> list[str]:  # Any: JSON
    """Return the values that a person has written into a call: what stood there before stays whose it was."""
    before = set(leaves_of(edit["before"]))
    return [text for path, text in leaves_of(edit["calls"][0]["arguments"]) if (path, text) not in before]


def read_sources(session: Session) -> RunSources:
    """Return what the run has been told and has read, what is not yet written included.

    It is read once per drive, and then grows with the run.
    """
    if session.sources is None:
        session.sources = RunSources()
    for told in [*_read_written(session, session.sources.seq), *_read_pending(session)]:
        if told[0] > session.sources.seq:
            session.sources.add(told, session.version.catalogue)
    return session.sources


def _read_written(session: Session, after: int) -> Iterator[Told]:
    if after >= session.head.seq:
        return
    with borrowed() as connection:
        asked = (session.context.run_id, after, session.head.seq, list(KINDS))
        rows = connection.execute(_QUERY, asked).fetchall()
    for seq, kind, facts, content in rows:
        yield seq, kind, facts, None if content is None else json.loads(content)


def _read_pending(session: Session) -> Iterator[Told]:
    for draft, state in session.pending:
        if draft.kind in KINDS:
            yield state.seq, draft.kind, draft.facts, draft.content
