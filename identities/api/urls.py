from __future__ import annotations

from django.urls import path

from identities.api import views

urlpatterns = [
    path("agents", views.Agents.as_view(), name="agents"),
    path("agents/<uuid:agent_id>", views.Agent.as_view(), name="agent"),
    path("step-up", views.StepUp.as_view(), name="step-up"),
]
