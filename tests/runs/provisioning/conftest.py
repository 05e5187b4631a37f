"""Who applies documents, and where."""

from __future__ import annotations

import pytest
from django.conf import LazySettings

from identities.models import User
from tests.cast import Cast


@pytest.fixture(autouse=True)
def _demo(settings: LazySettings) -> None:
    settings.DEMO = True  # Gina has no authenticator


@pytest.fixture
def ada(cast: Cast) -> User:
    return cast.ada
