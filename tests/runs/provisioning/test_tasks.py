"""Types of tasks in documents that are applied."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from identities.models import User
from runs.models import AgentVersion, Schedule
from tests.runs.provisioning.document import apply, changed, edited

pytestmark = [pytest.mark.setup, pytest.mark.slow]


def with_tasks(*tasks: Any) -> str:
    def edit(document: dict[str, Any]) -> None:
        document["versions"]["desk-agent"]["tasks"] = list(tasks)

    return edited(edit)


def one(check: Any) -> dict[str, Any]:
    return {"name": "refund", "description": "Money back.", "fulfilled_when": [check]}


ENDS, ANSWERS = one({"ended": ["completed"]}), one({"answer": {}})


def test_a_document_declares_types_of_tasks(ada: User) -> None:
    apply(ada, with_tasks(ENDS))
    version = AgentVersion.objects.get()
    assert (version.state, version.tasks) == ("published", [ENDS])
    assert apply(ada, with_tasks(ENDS)).is_empty


def test_other_checks_are_a_new_version_that_says_what_has_changed(ada: User) -> None:
    apply(ada, with_tasks(ENDS))
    plan = apply(ada, with_tasks(ANSWERS))
    assert changed(plan)["version desk-agent v2"]
    assert "fulfilled_when" in str(plan)


@pytest.mark.parametrize(
    "check", [{}, {"model": "?"}, {"called": "no_such_tool"}, {"called": "x", "times": -1}]
)
def test_what_could_not_be_told_is_refused_with_its_place(ada: User, check: Any) -> None:
    with pytest.raises(ValidationFailed, match="versions/desk-agent"):
        apply(ada, with_tasks(one(check)))
    assert not AgentVersion.objects.exists()


@pytest.mark.parametrize("task", ["refund", "cancel"])
def test_a_schedule_names_one_of_them(ada: User, task: str) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["versions"]["desk-agent"] |= {"tasks": [ENDS], "principal_source": "staff"}
        document["schedules"] = [
            {"name": "Daily", "agent": "desk-agent", "cron": "0 9 * * *", "message": "Go on.", "task": task}
        ]

    if task == "cancel":
        with pytest.raises(ValidationFailed, match="does not declare it; it declares: refund"):
            apply(ada, edited(edit))
        return
    apply(ada, edited(edit))
    assert Schedule.objects.get().task == "refund"
    assert apply(ada, edited(edit)).is_empty
