from __future__ import annotations

from django.urls import path

from approvals.api import edits, proposals, views  # noqa: F401  says what may be proposed

urlpatterns = [
    path("approvals", views.Approvals.as_view(), name="approvals"),
    path("approvals/<uuid:approval_id>", views.Approval.as_view(), name="approval"),
    path("approvals/<uuid:approval_id>/decision", views.Decision.as_view(), name="approval-decision"),
    path(
        "approvals/<uuid:approval_id>/edit/preview", edits.EditPreview.as_view(), name="approval-edit-preview"
    ),
    path("approvals/<uuid:approval_id>/edit", edits.Edit.as_view(), name="approval-edit"),
    path("approvals/<uuid:approval_id>/question", edits.Question.as_view(), name="approval-question"),
]
