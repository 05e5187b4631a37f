from __future__ import annotations

from django.urls import path

from identities.api import applications, keys, lifecycle, switches, views
from identities.api.proposals import agents, issuers, rules, trust  # noqa: F401  say what may be proposed
from identities.api.proposals import deciding as deeds
from identities.api.proposals import views as proposals

APPLICATION = "applications/<uuid:application_id>"
PROPOSAL = "proposals/<uuid:proposal_id>"

urlpatterns = [
    path("agents", views.Agents.as_view(), name="agents"),
    path("agents/<uuid:agent_id>", views.Agent.as_view(), name="agent"),
    path("agents/<uuid:agent_id>/update", lifecycle.UpdateAgent.as_view(), name="agent-update"),
    path("agents/<uuid:agent_id>/activate", lifecycle.ActivateAgent.as_view(), name="agent-activation"),
    path("agents/<uuid:agent_id>/revoke", lifecycle.RevokeAgent.as_view(), name="agent-revocation"),
    path(
        "agents/<uuid:agent_id>/recertify", lifecycle.RecertifyAgent.as_view(), name="agent-recertification"
    ),
    path("applications", applications.Applications.as_view(), name="applications"),
    path(APPLICATION, applications.ApplicationDetail.as_view(), name="application"),
    path(f"{APPLICATION}/revoke", applications.RevokeApplication.as_view(), name="application-revocation"),
    path(f"{APPLICATION}/update", applications.UpdateApplication.as_view(), name="application-update"),
    path(f"{APPLICATION}/allow-start", applications.AllowStart.as_view(), name="start-allowance"),
    path(f"{APPLICATION}/forbid-start", applications.ForbidStart.as_view(), name="start-prohibition"),
    path(f"{APPLICATION}/keys", keys.ApplicationKeys.as_view(), name="application-keys"),
    path(f"{APPLICATION}/keys/<uuid:api_key_id>", keys.ApplicationKey.as_view(), name="application-key"),
    path(
        f"{APPLICATION}/keys/<uuid:api_key_id>/revoke",
        keys.RevokeApplicationKey.as_view(),
        name="application-key-revocation",
    ),
    path("key-sets", keys.KeySets.as_view(), name="key-sets"),
    path("key-sets/<uuid:key_set_id>", keys.KeySet.as_view(), name="key-set"),
    path("key-sets/<uuid:key_set_id>/revoke", keys.RevokeKeySet.as_view(), name="key-set-revocation"),
    path("switches", switches.Switches.as_view(), name="switches"),
    path("switches/<uuid:switch_id>/lift", switches.LiftSwitch.as_view(), name="switch-lifting"),
    path("step-up", views.StepUp.as_view(), name="step-up"),
    path("step-up/key", views.KeyProof.as_view(), name="step-up-key"),
    path("proposals", proposals.Proposals.as_view(), name="proposals"),
    path(PROPOSAL, proposals.Proposal.as_view(), name="proposal"),
    path(f"{PROPOSAL}/activate", deeds.Activation.as_view(), name="proposal-activation"),
    path(f"{PROPOSAL}/reject", deeds.Rejection.as_view(), name="proposal-rejection"),
    path(f"{PROPOSAL}/withdraw", deeds.Withdrawal.as_view(), name="proposal-withdrawal"),
    path(f"{PROPOSAL}/roll-back", deeds.RollBack.as_view(), name="proposal-roll-back"),
]
