from __future__ import annotations

from django.urls import path

from tools.api import views

urlpatterns = [
    path("tools", views.Tools.as_view(), name="tools"),
    path("tools/<uuid:tool_id>", views.ToolDetail.as_view(), name="tool"),
]
