"""A type of task that the tests share: money back once, for the order that was looked up, and then an answer."""

from __future__ import annotations

from typing import Any

REFUND: dict[str, Any] = {
    "name": "refund",
    "description": "Money back for one order.",
    "fulfilled_when": [
        {
            "called": "refund",
            "times": 1,
            "with": [
                {"at": "/order_id", "same_as": {"call": "look_up", "in": "arguments", "at": "/order_id"}}
            ],
        },
        {"called": "refund", "times": 1},
        {"ended": ["completed"]},
        {"answer": {}},
    ],
}
