"""Tasks for an agent elsewhere, which the official SDK serves in a process of its own: given, awaited, ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runs.models import Run
from runs.services import cancel_run
from tests.runs.a2a.remotes import Far, add_server, ended, far_agent, take_over, wait_for
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.runs.gateway.worker import working
from tools.models import ServerTool, Tool
from tools.services import refresh_server

__all__ = ["company"]

pytestmark = [pytest.mark.delegation, pytest.mark.slow]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """Provide the agent, started once."""
    with far_agent(tmp_path_factory.mktemp("far")) as far:
        yield far


@pytest.fixture
def far(started: Far) -> Far:
    """Provide the agent as if nobody had asked it yet."""
    for left in started.log.parent.iterdir():
        left.unlink()
    return started


def begin(company: Company, far: Far, task: str, **more: Any) -> Run:
    """Start a run that gives the agent a task."""
    take_over(company, add_server(company, far.url), **more)
    company.play(proposes(("delegate", {"task": task})), says("Done."))
    return company.start()


def test_a_task_is_given_and_its_answer_comes_back(company: Company, far: Far) -> None:
    with working():
        run = ended(begin(company, far, "echo hello"))
    [call] = company.calls(run)
    assert (run.state, call.state, call.code) == ("completed", "succeeded", "ok")
    [took] = far.took()
    assert took == f"took {call.key} True echo hello"
    value = company.content(run, "call.succeeded")["value"]
    assert (value["agent"], value["answer"]) == ("Far agent", "Done: echo hello.")
    shown = company.observations()[-1]
    assert "Done: echo hello." in str(shown)


def test_who_answers_at_once_needs_no_task(company: Company, far: Far) -> None:
    with working():
        run = ended(begin(company, far, "now please"))
    assert company.content(run, "call.succeeded")["value"]["answer"] == "At once."


def test_what_takes_long_holds_no_worker_and_is_sent_once(company: Company, far: Far) -> None:
    run = begin(company, far, "slow work")
    with working():
        wait_for(lambda: len(company.facts(run, "call.awaited")) >= 2)
        run.refresh_from_db()
        assert run.lease_until is None
        assert company.states(run)[0][0] == "awaited"
        far.let_go()
        ended(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert len(far.took()) == 1


@pytest.mark.parametrize(
    ("task", "more", "state"),
    [
        ("reject this", {}, ("failed", "remote_rejected")),
        ("fail this", {"effect": "read"}, ("failed", "remote_failed")),
        ("fail this", {"error_is_refusal": True}, ("failed", "remote_failed")),
        ("fail this", {}, ("parked", "remote_failed")),
        ("ask me", {"effect": "read"}, ("failed", "remote_input_required")),
        ("auth me", {"effect": "read", "config": {"on_auth_required": "fail"}}, ("failed", "remote_auth_required")),
        ("ask me", {"effect": "read", "config": {"on_input_required": "wait"}}, ("awaited", "remote_input_required")),
        ("auth me", {}, ("awaited", "remote_auth_required")),
    ],
)  # fmt: skip
def test_how_it_stands_there_is_told_here(
    company: Company, far: Far, task: str, more: dict[str, Any], state: tuple[str, str]
) -> None:
    run = begin(company, far, task, **more)
    with working():
        wait_for(lambda: company.states(run)[:1] == [state])
    kind = {"awaited": "call.awaited", "parked": "call.unknown", "failed": "call.failed"}[state[0]]
    assert company.content(run, kind)["detail"] == f"Because of {task}."
    assert len(far.took()) == 1


def test_who_has_been_approved_there_goes_on_here(company: Company, far: Far) -> None:
    run = begin(company, far, "auth me")
    with working():
        wait_for(lambda: company.states(run) == [("awaited", "remote_auth_required")])
        far.let_go()
        ended(run)
    assert company.content(run, "call.succeeded")["value"]["answer"] == "Done: auth me."


def test_to_cancel_the_run_cancels_the_task(company: Company, far: Far) -> None:
    run = begin(company, far, "slow work")
    with working():
        wait_for(lambda: company.states(run)[:1] == [("awaited", "remote_working")])
        cancel_run(actor=company.cast.application.service_account, run=run)
        ended(run)
    assert run.state == "cancelled"
    assert company.facts(run, "run.cancelled")[0]["called_off"] == [1]
    wait_for(lambda: "cancelled" in far.lines())


def test_another_card_is_another_tool(company: Company, far: Far) -> None:
    server = add_server(company, far.url)
    version = take_over(company, server)
    [row] = ServerTool.objects.filter(server=server)
    assert (row.described["annotations"]["signed_by"], row.faults) == ("", [])
    ServerTool.objects.filter(pk=row.pk).update(
        accepted_digest="0" * 64
    )  # as if another one had been accepted
    refresh_server(actor=company.cast.alice, server=server)
    assert Tool.objects.get(pk=version.tool_id).state == "quarantined"
    run = company.run(proposes(("delegate", {"task": "echo hello"})), says("Well."))
    assert company.states(run)[0][0] == "refused"
    assert not far.took()


def test_who_is_gone_is_asked_again_until_they_are_back(
    company: Company, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(company, far, "slow work")
    with working():
        wait_for(lambda: company.states(run)[:1] == [("awaited", "remote_working")])
        with monkeypatch.context() as gone:
            gone.setattr("tools.adapters.http.wire.resolve", _nowhere)
            wait_for(lambda: company.states(run) == [("awaited", "remote_unreachable")])
        far.let_go()
        ended(run)
    assert (company.states(run), len(far.took())) == ([("succeeded", "ok")], 1)


def _nowhere(*_: object, **__: object) -> list[str]:
    raise OSError("there is no such host")


def test_mutant_without_the_tasks_id_it_is_sent_again(
    company: Company, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps a retry from becoming a second task is the id on record."""
    from tools.adapters.a2a import A2aAdapter

    company.is_mutant = True
    monkeypatch.setattr(
        A2aAdapter, "_poll", lambda self, call, timeout_s: self._send(call, timeout_s, float("inf"))
    )
    run = begin(company, far, "slow work")
    with working():
        wait_for(lambda: len(far.took()) >= 2)
        far.let_go()
        wait_for(lambda: company.states(run)[0][0] != "awaited")
