"""Runs as examples to learn from: who says so, what the file holds, what is not in it, and what is on the record."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from identities.models import ApiKey, User
from runs.erasure import erase_run
from runs.examples import lines as example_lines
from runs.examples.services import Selection, decide_example, export_examples
from runs.models import Example, Run
from runs.versions import VersionSpec
from tests.api.conftest import Callers, callers, keys
from tests.rewriting import rewrite
from tests.runs.company import Company, proposes, says
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, keep_set, only, tried

__all__ = ["callers", "keys"]  # fixtures
pytestmark = [pytest.mark.evaluation, pytest.mark.slow]


@pytest.fixture
def refunds(company: Company) -> Company:
    """Provide a company that looks orders up, gives money back, and takes card numbers out of prompts."""
    company.add_reads()
    company.add_tool("refund")
    company.publish(redact=["card", "email"])
    return company


@pytest.fixture
def run(refunds: Company) -> Run:
    """Return a run whose user and whose model both name what is redacted."""
    return refunds.run(
        LOOKS, PAYS, says("Money back to jo@example.com."), message="Back to 4111 1111 1111 1111, please."
    )


def let(person: User, *names: str) -> User:
    person.user_permissions.add(*Permission.objects.filter(codename__in=names))
    return User.objects.get(pk=person.pk)


def approve(company: Company, run: Run, **more: Any) -> Example:
    actor = let(company.cast.alice, "approve_example")
    return decide_example(actor=actor, run=run, **{"verdict": "approved", "reason": "It is right.", **more})


def export(company: Company, **narrowed: Any) -> tuple[list[dict[str, Any]], Any]:
    """Return the lines of an export, each checked against the rules of the format, and what is told of it."""
    actor = let(company.cast.alice, "export_example")
    made = export_examples(
        actor=actor, identity=company.cast.agent, selection=Selection(**narrowed), reason="To tune."
    )
    file = b"".join(made.chunks())
    assert hashlib.sha256(file).hexdigest() == made.digest
    assert file.endswith(b"\n") or not file
    found = [json.loads(line) for line in file.splitlines()]
    for line in found:
        check_line(line)
    assert len(found) == made.lines
    return found, made


def check_line(line: dict[str, Any]) -> None:
    """Check a line against the rules of the format: a conversation that ends with the assistant, calls answered."""
    assert set(line) <= {"messages", "tools"}
    offered = [tool["function"] for tool in line.get("tools", ())]
    assert all(tool["type"] == "function" for tool in line.get("tools", ()))
    assert all({"name", "parameters"} <= set(tool) for tool in offered)
    *before, last = line["messages"]
    assert last["role"] == "assistant"
    open_calls: set[str] = set()
    for message in [*before, last]:
        assert message["role"] in {"system", "user", "assistant", "tool"}
        if message["role"] == "tool":
            open_calls.remove(message["tool_call_id"])
            assert isinstance(message["content"], str)
            continue
        assert not open_calls, "a call has to be answered before anybody speaks"
        assert set(message) <= {"role", "content", "tool_calls", "weight"}
        assert isinstance(message["content"], str) or message.get("tool_calls")
        assert ("weight" in message) == (message["role"] == "assistant")
        for call in message.get("tool_calls", ()):
            assert call["type"] == "function"
            assert isinstance(call["function"]["arguments"], str)
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            assert call["function"]["name"] in {tool["name"] for tool in offered}
            open_calls.add(call["id"])
    assert [each["weight"] for each in before if each["role"] == "assistant"] == [0] * sum(
        each["role"] == "assistant" for each in before
    )
    assert last["weight"] == 1


def test_a_line_for_each_step_holds_just_what_the_model_was_sent(refunds: Company, run: Run) -> None:
    approve(refunds, run)
    found, made = export(refunds)
    assert (made.runs, made.lines, made.left_out) == (1, 3, 0)
    for line, asked in zip(found, refunds.asked(), strict=True):
        sent = [{name: each[name] for name in each if name != "weight"} for each in line["messages"][:-1]]
        assert sent == asked["messages"]
        assert line["tools"] == asked["tools"]
    assert [
        line["messages"][-1].get("tool_calls", [{}])[0].get("function", {}).get("name") for line in found
    ] == [
        "look_up",
        "refund",
        None,
    ]


def test_what_is_redacted_is_in_neither_prompt_nor_answer(refunds: Company, run: Run) -> None:
    approve(refunds, run)
    text = json.dumps(export(refunds)[0])
    assert "4111" not in text
    assert "jo@example.com" not in text
    assert "Money back to" in text


def test_some_steps_may_be_meant_and_a_rejection_takes_it_back(refunds: Company, run: Run) -> None:
    approve(refunds, run, steps=[2])
    assert [len(line["messages"]) for line in export(refunds)[0]] == [5]
    approve(refunds, run, verdict="rejected", reason="It was wrong after all.")
    assert export(refunds)[0] == []
    assert Example.objects.count() == 1


def test_it_is_narrowed_by_version_task_and_time(refunds: Company, run: Run) -> None:
    approve(refunds, run)
    begun, later = run.created_at, run.created_at + timedelta(seconds=1)
    for narrowed, number in (
        ({"version": 1}, 3),
        ({"version": 2}, 0),
        ({"task": ""}, 3),
        ({"task": "refund"}, 0),
        ({"since": begun, "until": later}, 3),
        ({"since": later}, 0),
        ({"until": begun}, 0),
    ):
        assert len(export(refunds, **narrowed)[0]) == number, narrowed


def test_every_export_and_every_word_is_on_the_record(refunds: Company, run: Run) -> None:
    row = approve(refunds, run)
    _, made = export(refunds)
    [said] = Entry.objects.filter(stream_id=row.pk)
    assert (said.kind, said.facts["steps"], said.actor) == (
        "example.approved",
        [1, 2, 3],
        refunds.cast.alice.pk,
    )
    [entry] = Entry.objects.filter(kind="examples.exported")
    assert (entry.facts["digest"], entry.facts["lines"], entry.actor) == (
        made.digest,
        3,
        refunds.cast.alice.pk,
    )
    assert export(refunds)[1].digest == made.digest  # the same examples are the same file


def test_an_erased_run_vanishes(refunds: Company, run: Run) -> None:
    approve(refunds, run)
    erase_run(actor=refunds.cast.ada, run=run, reason="They asked.")
    assert export(refunds)[0] == []
    assert not Example.objects.exists()
    assert "It is right." not in str(list(Entry.objects.values_list("content", flat=True)))
    with pytest.raises(StateConflict) as refused:
        approve(refunds, run)
    assert refused.value.code == "erased"


def digest_otherwise(version: VersionSpec, window: Any, offered: Any) -> dict[str, str]:
    """Say what would be said if the model had been shown something else."""
    return {"prompt": "0" * 64, "offered": "0" * 64}


def test_what_cannot_be_shown_to_be_what_the_model_saw_is_left_out(
    refunds: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_lines, "digest_shown", digest_otherwise)
    approve(refunds, run)
    found, made = export(refunds)
    assert (len(found), made.runs, made.left_out) == (0, 0, 3)


def test_without_that_comparison_anything_would_go_out(
    refunds: Company, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mutant: what is made of the record is not compared with what was sent."""
    monkeypatch.setattr(example_lines, "digest_shown", digest_otherwise)
    rewrite(monkeypatch, example_lines, "_show", "found if is_same else None", "found")
    approve(refunds, run)
    assert len(export(refunds)[0]) == 3


def test_what_the_model_wrote_badly_is_nothing_to_learn(refunds: Company) -> None:
    run = refunds.run(proposes(("look_up", "{")), ANSWERS)
    approve(refunds, run)
    found, made = export(refunds)
    assert (len(found), made.left_out) == (1, 1)


def test_only_those_with_the_right_of_its_own(refunds: Company, run: Run) -> None:
    cast = refunds.cast
    for person in (cast.alice, cast.bob, let(cast.charlie, "approve_example", "export_example")):
        with pytest.raises(PolicyDenied):
            decide_example(actor=person, run=run, verdict="approved", reason="It is right.")
        with pytest.raises(PolicyDenied):
            export_examples(actor=person, identity=cast.agent, selection=Selection(), reason="To tune.")
    assert not Example.objects.exists()
    assert not Entry.objects.filter(kind="examples.exported").exists()


def test_what_is_no_example_is_refused(refunds: Company, run: Run) -> None:
    wrong: list[dict[str, Any]] = [{"reason": " "}, {"verdict": "perhaps"}, {"steps": [9]}, {"steps": []}]
    for changes in wrong:
        with pytest.raises(ValidationFailed):
            approve(refunds, run, **changes)
    with pytest.raises(StateConflict):
        approve(refunds, refunds.start())
    of_case = only(tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS)).run
    assert of_case is not None
    with pytest.raises(StateConflict):
        approve(refunds, of_case)
    with pytest.raises(ValidationFailed):
        export_examples(
            actor=let(refunds.cast.alice, "export_example"), identity=refunds.cast.agent,
            selection=Selection(), reason="",
        )  # fmt: skip


async def gather(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])


def test_the_api_streams_the_file(refunds: Company, run: Run, callers: Callers) -> None:
    said = {"verdict": "approved", "reason": "It is right.", "steps": [1, 3]}
    assert callers.bob.post(f"/runs/{run.pk}/example", said, key="b").status == 403
    assert callers.charlie.post(f"/runs/{run.pk}/example", said, key="c").status == 404
    assert callers.ada.post(f"/runs/{run.pk}/example", said).code == "second_factor_required"
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=5))
    assert callers.ada.post(f"/runs/{run.pk}/example", said, key="a").body["steps"] == [1, 3]
    path, body = f"/agents/{refunds.cast.agent.pk}/examples/export", {"reason": "To tune."}
    told = callers.ada.post(path, body).body
    assert (told["runs"], told["lines"], len(told["examples"])) == (1, 2, 2)
    assert callers.bob.post(path, body).status == 403
    assert callers.charlie.post(path, body).status == 404
    assert callers.ada.post(path, {}).status == 422
    since = (timezone.now() + timedelta(days=1)).isoformat()
    assert callers.ada.post(path, {**body, "since": since}).body["examples"] == []
    headers = {"Authorization": f"Bearer {callers.ada.bearer}", "Accept": "application/jsonl"}
    streamed: Any = callers.ada.client.post(
        f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers
    )
    assert streamed.headers["Content-Type"].startswith("application/jsonl")
    file = asyncio.run(gather(streamed.streaming_content))
    assert hashlib.sha256(file).hexdigest() == told["digest"]
    assert [json.loads(line) for line in file.splitlines()] == told["examples"]


def test_the_terminal_approves_and_writes_a_file(refunds: Company, run: Run, tmp_path: Path) -> None:
    let(refunds.cast.alice, "approve_example", "export_example")
    target = tmp_path / "examples.jsonl"

    def told(*words: object, username: str = "alice") -> str:
        out = StringIO()
        call_command("examples", *map(str, words), "--as", username, "--reason", "It is right.", stdout=out)
        return out.getvalue()

    assert "steps 1, 3 are approved" in told("--approve", run.pk, "--steps", 1, 3)
    assert "2 lines of 1 runs, 0 steps left out" in told("--export", "refunds-agent", "--to", target)
    assert len(target.read_bytes().splitlines()) == 2
    for words in (
        ("--export", "refunds-agent", "--to", target),  # which is there
        ("--export", "refunds-agent"),
        ("--export", "nobody", "--to", tmp_path / "other"),
        ("--approve", run.pk, "--steps", 9),
    ):
        with pytest.raises(CommandError):
            told(*words)
    with pytest.raises(CommandError):
        told("--reject", run.pk, username="charlie")
