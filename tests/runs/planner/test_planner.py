"""Building a planner from settings."""

from __future__ import annotations

from typing import Any

import pytest

from runs.planner import build_planner
from tests.runs.planner.provider import Provider, completion, reply
from tests.runs.planner.questions import API_KEY, answered, question


def test_an_openai_planner_asks_the_given_address(provider: Provider) -> None:
    provider.play(reply(completion()))
    planner = build_planner("openai", base_url=provider.base_url, api_key=API_KEY)
    assert answered(planner.ask(question())).text == "Hello."


def test_a_null_planner_plays_the_given_steps() -> None:
    assert answered(build_planner("null", steps=1).ask(question())).calls
    assert answered(build_planner("null", steps=0).ask(question())).text == "Done."


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("gpt", {}), ("", {}), ("openai", {}), ("openai", {"api_key": "k", "base_url": "x"})],
)
def test_unusable_settings_fail_loudly(kind: Any, settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"kind|key|URL"):
        build_planner(kind, **settings)
