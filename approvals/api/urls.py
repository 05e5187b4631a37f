from __future__ import annotations

from django.urls import path

from approvals.api import (
    absences,
    batches,
    edits,
    proposals,  # noqa: F401  says what may be proposed
    second_looks,
    views,
    webhooks,
)

WEBHOOK = "webhooks/<uuid:webhook_id>"

urlpatterns = [
    path("approval-groups", batches.Groups.as_view(), name="approval-groups"),
    path("approval-batches", batches.Batches.as_view(), name="approval-batches"),
    path("approval-batches/<uuid:batch_id>", batches.Batch.as_view(), name="approval-batch"),
    path("approval-batches/<uuid:batch_id>/check", batches.Check.as_view(), name="approval-batch-check"),
    path("approval-batches/<uuid:batch_id>/items", batches.Items.as_view(), name="approval-batch-items"),
    path(
        "approval-batches/<uuid:batch_id>/decision",
        batches.BatchDecision.as_view(),
        name="approval-batch-decision",
    ),
    path(
        "approval-batches/<uuid:batch_id>/leave-out",
        batches.LeftOut.as_view(),
        name="approval-batch-left-out",
    ),
    path("second-looks", second_looks.SecondLooks.as_view(), name="second-looks"),
    path(
        "second-looks/<uuid:approval_id>", second_looks.SecondLookTaking.as_view(), name="second-look-taking"
    ),
    path("approvals", views.Approvals.as_view(), name="approvals"),
    path("approvals/<uuid:approval_id>", views.Approval.as_view(), name="approval"),
    path("approvals/<uuid:approval_id>/decision", views.Decision.as_view(), name="approval-decision"),
    path(
        "approvals/<uuid:approval_id>/edit/preview", edits.EditPreview.as_view(), name="approval-edit-preview"
    ),
    path("approvals/<uuid:approval_id>/edit", edits.Edit.as_view(), name="approval-edit"),
    path("approvals/<uuid:approval_id>/question", edits.Question.as_view(), name="approval-question"),
    path("absences", absences.Absences.as_view(), name="absences"),
    path("absences/<uuid:absence_id>", absences.AbsenceDetail.as_view(), name="absence"),
    path("absences/<uuid:absence_id>/end", absences.AbsenceEnd.as_view(), name="absence-end"),
    path("webhooks", webhooks.Webhooks.as_view(), name="webhooks"),
    path(WEBHOOK, webhooks.Webhook.as_view(), name="webhook"),
    path(f"{WEBHOOK}/rotate", webhooks.Rotation.as_view(), name="webhook-rotation"),
    path(f"{WEBHOOK}/enable", webhooks.Enabling.as_view(), name="webhook-enabling"),
    path(f"{WEBHOOK}/disable", webhooks.Disabling.as_view(), name="webhook-disabling"),
    path(f"{WEBHOOK}/remove", webhooks.Removal.as_view(), name="webhook-removal"),
    path(f"{WEBHOOK}/test", webhooks.Trial.as_view(), name="webhook-trial"),
    path(f"{WEBHOOK}/deliveries", webhooks.Deliveries.as_view(), name="webhook-deliveries"),
    path(
        f"{WEBHOOK}/deliveries/<uuid:delivery_id>/send-again",
        webhooks.Resending.as_view(),
        name="webhook-resending",
    ),
]
