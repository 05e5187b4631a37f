from __future__ import annotations

from django.urls import path

from tools.api import (
    proposals,  # noqa: F401  says what may be proposed
    views,
)

urlpatterns = [
    path("tools", views.Tools.as_view(), name="tools"),
    path("tools/<uuid:tool_id>", views.ToolDetail.as_view(), name="tool"),
]
