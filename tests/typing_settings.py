"""The settings as mypy's Django plugin loads them: complete, but leading nowhere."""

from __future__ import annotations

import os

from agentops.runtime.service_urls import PLACEHOLDERS

os.environ.update({**PLACEHOLDERS, **os.environ})

from config.settings import *  # noqa: F403  all of them, as Django takes them
