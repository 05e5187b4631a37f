"""What providers report as usage, believed or not."""

from __future__ import annotations

from typing import Any

import pytest

from runs.planner.answers import Usage
from runs.planner.usage import read_usage


def reported(prompt: object = 100, completion: object = 20, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (reported(), Usage(100, 20, 0, 0, 0)),
        (reported(total_tokens=120), Usage(100, 20, 0, 0, 0)),
        (reported(prompt_tokens_details=None, completion_tokens_details=None), Usage(100, 20, 0, 0, 0)),
        (reported(prompt_tokens_details={"cached_tokens": None}), Usage(100, 20, 0, 0, 0)),
        (
            reported(prompt_tokens_details={"cached_tokens": 60, "cache_write_tokens": 40}),
            Usage(100, 20, 60, 40, 0),
        ),
        (reported(prompt_cache_hit_tokens=60, prompt_cache_miss_tokens=40), Usage(100, 20, 60, 0, 0)),
        (
            reported(prompt_cache_hit_tokens=60, prompt_tokens_details={"cached_tokens": 60}),
            Usage(100, 20, 60, 0, 0),
        ),
        (reported(completion_tokens_details={"reasoning_tokens": 20}), Usage(100, 20, 0, 0, 20)),
        (reported(completion=0), Usage(100, 0, 0, 0, 0)),
    ],
)
def test_usage_is_normalised(usage: object, expected: Usage) -> None:
    assert read_usage(usage) == expected


@pytest.mark.parametrize(
    ("usage", "output"),
    [
        # Numbers as xAI documents them: reasoning beside the completion, inside the total.
        (reported(32, 9, total_tokens=135, completion_tokens_details={"reasoning_tokens": 94}), 103),
        (reported(279, 6, total_tokens=374, completion_tokens_details={"reasoning_tokens": 89}), 95),
        # The same without a total.
        (reported(32, 9, completion_tokens_details={"reasoning_tokens": 94}), 103),
        # Gemini's compatible endpoint: thinking shows up in the total only.
        (reported(20, 424, total_tokens=1016), 996),
        # A total that is too small proves nothing.
        (reported(100, 20, total_tokens=100), 20),
    ],
)
def test_reasoning_reported_beside_the_completion_is_output(usage: object, output: int) -> None:
    read = read_usage(usage)
    assert read is not None
    assert read.output_tokens == output


@pytest.mark.parametrize(
    "usage",
    [
        None,
        [],
        "120",
        {},
        {"prompt_tokens": 100},
        {"completion_tokens": 20},
        reported(prompt=-1),
        reported(completion=-20),
        reported(prompt="100"),
        reported(completion="20"),
        reported(prompt=100.0),
        reported(prompt=True),
        reported(prompt=None),
        reported(prompt=0),
        reported(prompt=0, completion=0),
        reported(prompt=2**31),
        reported(completion=10**30),
        reported(total_tokens="120"),
        reported(total_tokens=-5),
        reported(total_tokens=2**40),
        reported(prompt_tokens_details=[60]),
        reported(prompt_tokens_details={"cached_tokens": -1}),
        reported(prompt_tokens_details={"cached_tokens": "60"}),
        reported(prompt_tokens_details={"cached_tokens": 101}),
        reported(prompt_tokens_details={"cached_tokens": 60, "cache_write_tokens": 41}),
        reported(completion_tokens_details="x"),
        reported(completion_tokens_details={"reasoning_tokens": -1}),
    ],
)
def test_nonsense_is_no_usage(usage: object) -> None:
    assert read_usage(usage) is None


@pytest.mark.parametrize(
    "counts", [(-1, 0, 0, 0, 0), (1, -1, 0, 0, 0), (5, 5, 3, 3, 0), (5, 5, 0, 0, 6), (5, 5, -1, 0, 0)]
)
def test_a_contradictory_usage_cannot_be_made(counts: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="token"):
        Usage(*counts)
