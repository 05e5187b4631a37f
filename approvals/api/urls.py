from __future__ import annotations

from django.urls import path

from approvals.api import absences, proposals, views  # noqa: F401  says what may be proposed

urlpatterns = [
    path("approvals", views.Approvals.as_view(), name="approvals"),
    path("approvals/<uuid:approval_id>", views.Approval.as_view(), name="approval"),
    path("approvals/<uuid:approval_id>/decision", views.Decision.as_view(), name="approval-decision"),
    path("absences", absences.Absences.as_view(), name="absences"),
    path("absences/<uuid:absence_id>", absences.AbsenceDetail.as_view(), name="absence"),
    path("absences/<uuid:absence_id>/end", absences.AbsenceEnd.as_view(), name="absence-end"),
]
