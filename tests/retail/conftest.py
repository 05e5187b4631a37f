"""The small shop, new for each test."""

from __future__ import annotations

import pytest

from tests.retail.dataset import Database
from tests.retail.shop import RetailShop
from tests.retail.small_shop import make_database


@pytest.fixture
def database() -> Database:
    return make_database()


@pytest.fixture
def shop(database: Database) -> RetailShop:
    return RetailShop(database)
