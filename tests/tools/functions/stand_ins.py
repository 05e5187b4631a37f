"""Another function in the place of one, as a deployment would bring it: in a test it is the same process."""

from __future__ import annotations

import pytest

from tests.tools.functions import shop
from tools.adapters import python


def change_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the refund take other arguments."""

    def refund(order_id: str, amount: str) -> str:
        """Pay an order back."""
        return order_id + amount

    refund.__module__ = shop.__name__
    monkeypatch.setattr(shop, "refund", refund)
    forget_stand_ins()


def forget_stand_ins() -> None:
    """Forget which function a path led to."""
    python._load_function.cache_clear()
