from __future__ import annotations

from django.urls import path

from runs.api import (
    blast_radius,
    campaigns,
    changesets,
    confirmations,
    controls,
    dead_letters,
    evaluations,
    events,
    examples,
    extensions,
    handovers,
    indicators,
    memories,
    preflight,
    proposals,  # noqa: F401  says what may be proposed
    replays,
    reviewing,
    schedules,
    stops,
    table_foresight,
    tool_use,
    undoing,
    views,
    what_if,
)

RUN = "runs/<uuid:run_id>"
MEMORY = "memories/<uuid:memory_id>"
DEAD_LETTER = "dead-letters/<uuid:letter_id>"
SCHEDULE = "schedules/<uuid:schedule_id>"
EVALUATION_SET = "evaluation-sets/<uuid:set_id>"
EVALUATION = "evaluations/<uuid:evaluation_id>"
CHANGE_SET = "change-sets/<uuid:change_set_id>"

urlpatterns = [
    path("runs", views.Runs.as_view(), name="runs"),
    path(RUN, views.RunDetail.as_view(), name="run"),
    path(f"{RUN}/steps", views.Steps.as_view(), name="run-steps"),
    path(f"{RUN}/children", views.Children.as_view(), name="run-children"),
    path(f"{RUN}/trace", views.Trace.as_view(), name="run-trace"),
    path(f"{RUN}/events", events.Events.as_view(), name="run-events"),
    path(f"{RUN}/cancel", controls.Cancel.as_view(), name="run-cancel"),
    path(f"{RUN}/kill", controls.Kill.as_view(), name="run-kill"),
    path(f"{RUN}/pause", controls.Pause.as_view(), name="run-pause"),
    path(f"{RUN}/undo", undoing.Undo.as_view(), name="run-undo"),
    path(f"{RUN}/replay", replays.Replay.as_view(), name="run-replay"),
    path(f"{RUN}/fork", replays.Forking.as_view(), name="run-fork"),
    path(f"{RUN}/example", examples.ExampleDecision.as_view(), name="run-example"),
    path(f"{RUN}/resume", controls.Resume.as_view(), name="run-resume"),
    path(f"{RUN}/input", controls.Input.as_view(), name="run-input"),
    path(f"{RUN}/messages", controls.Messages.as_view(), name="run-messages"),
    path(f"{RUN}/calls/<int:step>/<int:call>/veto", controls.Veto.as_view(), name="call-veto"),
    path(f"{RUN}/calls/<int:step>/<int:call>/outcome", controls.Outcome.as_view(), name="call-outcome"),
    path("handovers", handovers.Handovers.as_view(), name="handovers"),
    path("handovers/<uuid:handover_id>", handovers.HandoverDetail.as_view(), name="handover"),
    path("handovers/<uuid:handover_id>/claim", handovers.HandoverClaim.as_view(), name="handover-claim"),
    path(
        "handovers/<uuid:handover_id>/release", handovers.HandoverRelease.as_view(), name="handover-release"
    ),
    path("handovers/<uuid:handover_id>/close", handovers.HandoverClosing.as_view(), name="handover-close"),
    path("handovers/<uuid:handover_id>/answer", handovers.HandoverAnswer.as_view(), name="handover-answer"),
    path("confirmations", confirmations.Confirmations.as_view(), name="confirmations"),
    path(
        "confirmations/<uuid:confirmation_id>",
        confirmations.ConfirmationDetail.as_view(),
        name="confirmation",
    ),
    path(
        "confirmations/<uuid:confirmation_id>/answer",
        confirmations.ConfirmationAnswer.as_view(),
        name="confirmation-answer",
    ),
    path("extensions", extensions.Extensions.as_view(), name="extensions"),
    path("extensions/<uuid:extension_id>", extensions.ExtensionDetail.as_view(), name="extension"),
    path(
        "extensions/<uuid:extension_id>/decision",
        extensions.ExtensionDecision.as_view(),
        name="extension-decision",
    ),
    path("campaigns", campaigns.Campaigns.as_view(), name="campaigns"),
    path("campaigns/<uuid:campaign_id>", campaigns.CampaignDetail.as_view(), name="campaign"),
    path("change-sets", changesets.ChangeSets.as_view(), name="change-sets"),
    path(CHANGE_SET, changesets.ChangeSetDetail.as_view(), name="change-set"),
    path(f"{CHANGE_SET}/decision", changesets.ChangeSetDecision.as_view(), name="change-set-decision"),
    path(f"{CHANGE_SET}/return", changesets.ChangeSetReturn.as_view(), name="change-set-return"),
    path(f"{CHANGE_SET}/apply", changesets.ChangeSetApplication.as_view(), name="change-set-apply"),
    path("schedules", schedules.Schedules.as_view(), name="schedules"),
    path(SCHEDULE, schedules.ScheduleDetail.as_view(), name="schedule"),
    path(f"{SCHEDULE}/change", schedules.ScheduleChange.as_view(), name="schedule-change"),
    path(f"{SCHEDULE}/pause", schedules.SchedulePause.as_view(), name="schedule-pause"),
    path(f"{SCHEDULE}/resume", schedules.ScheduleResume.as_view(), name="schedule-resume"),
    path(f"{SCHEDULE}/end", schedules.ScheduleEnd.as_view(), name="schedule-end"),
    path("evaluation-sets", evaluations.EvaluationSets.as_view(), name="evaluation-sets"),
    path(EVALUATION_SET, evaluations.EvaluationSetDetail.as_view(), name="evaluation-set"),
    path(f"{EVALUATION_SET}/evaluate", evaluations.EvaluationStart.as_view(), name="evaluation-start"),
    path("evaluations", evaluations.Evaluations.as_view(), name="evaluations"),
    path(EVALUATION, evaluations.EvaluationDetail.as_view(), name="evaluation"),
    path(f"{EVALUATION}/compare", evaluations.EvaluationComparison.as_view(), name="evaluation-compare"),
    path(f"{EVALUATION}/stop", evaluations.EvaluationStop.as_view(), name="evaluation-stop"),
    path("dead-letters", dead_letters.DeadLetters.as_view(), name="dead-letters"),
    path(DEAD_LETTER, dead_letters.DeadLetterDetail.as_view(), name="dead-letter"),
    path(f"{DEAD_LETTER}/redrive", dead_letters.Redrive.as_view(), name="dead-letter-redrive"),
    path(f"{DEAD_LETTER}/discard", dead_letters.Discard.as_view(), name="dead-letter-discard"),
    path("memories", memories.Memories.as_view(), name="memories"),
    path(MEMORY, memories.MemoryDetail.as_view(), name="memory"),
    path(f"{MEMORY}/release", memories.Release.as_view(), name="memory-release"),
    path(f"{MEMORY}/revert", memories.Revert.as_view(), name="memory-revert"),
    path(f"{MEMORY}/delete", memories.Deletion.as_view(), name="memory-delete"),
    path("stops", stops.Stops.as_view(), name="stops"),
    path("stops/<uuid:stop_id>", stops.StopDetail.as_view(), name="stop"),
    path("tools/<uuid:tool_id>/metrics", tool_use.ToolMetrics.as_view(), name="tool-metrics"),
    path(
        "tables/<uuid:table_id>/versions/<int:number>/last-month",
        table_foresight.LastMonth.as_view(),
        name="table-last-month",
    ),
    path("review-capacity", reviewing.ReviewLoads.as_view(), name="review-capacity"),
    path("preflight", preflight.InstallationPreflight.as_view(), name="installation-preflight"),
    path("agents/<uuid:agent_id>/what-if", what_if.WhatIf.as_view(), name="what-if"),
    path(
        "agents/<uuid:agent_id>/blast-radius", blast_radius.BlastRadiusDetail.as_view(), name="blast-radius"
    ),
    path("agents/<uuid:agent_id>/indicators", indicators.Indicators.as_view(), name="indicators"),
    path("agents/<uuid:agent_id>/examples/export", examples.ExampleExport.as_view(), name="example-export"),
    path("agents/<uuid:agent_id>/preflight", preflight.Preflight.as_view(), name="agent-preflight"),
]
