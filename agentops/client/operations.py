"""A method for each operation of the API. Written from docs/openapi.yaml by ``write_openapi``: do not edit.

A write takes an ``idempotency_key``; without one each call makes a key of its own, under which it is tried again.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, Unpack  # Any: JSON that the platform does not look into

from agentops.client import types as t
from agentops.client.calls import Call, new_key


class AsyncOperations(Protocol):
    """All operations, to be awaited."""

    async def _answer(self, call: Call) -> Any: ...

    async def list_absences(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        standing: bool | None = None,
    ) -> t.AbsencePage:
        """List absences, newest first."""

        answer: t.AbsencePage = await self._answer(Call("GET", "/api/v1/absences", query={"cursor": cursor, "limit": limit, "standing": standing}))
        return answer

    async def declare_absence(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DeclareAbsenceBody],
    ) -> t.Absence:
        """Say that you are away and who decides meanwhile, as a person with a fresh second factor."""

        answer: t.Absence = await self._answer(Call("POST", "/api/v1/absences", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_absence(
        self,
        absence_id: str,
        /,
    ) -> t.Absence:
        """Return an absence."""

        answer: t.Absence = await self._answer(Call("GET", Call.path("/api/v1/absences/{absence_id}", absence_id)))
        return answer

    async def end_absence(
        self,
        absence_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Absence:
        """Take the deputy's seat back at once. Both of them may, and who may name deputies there."""

        answer: t.Absence = await self._answer(Call("POST", Call.path("/api/v1/absences/{absence_id}/end", absence_id), key=idempotency_key or new_key()))
        return answer

    async def list_agents(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
        state: Literal["draft", "active", "suspended", "revoked"] | None = None,
    ) -> t.AgentPage:
        """List agents, newest first."""

        answer: t.AgentPage = await self._answer(Call("GET", "/api/v1/agents", query={"cursor": cursor, "limit": limit, "slug": slug, "state": state}))
        return answer

    async def create_agent(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateAgentBody],
    ) -> t.Agent:
        """Create an agent as a draft: it has no grants and no keys, and does not act before `activateAgent`."""

        answer: t.Agent = await self._answer(Call("POST", "/api/v1/agents", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_agent(
        self,
        agent_id: str,
        /,
    ) -> t.Agent:
        """Return an agent."""

        answer: t.Agent = await self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}", agent_id)))
        return answer

    async def activate_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Agent:
        """Let an agent act; takes a fresh second factor, and where a rule says so a proposal (`agent.activate`)."""

        answer: t.Agent = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/activate", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_blast_radius(
        self,
        agent_id: str,
        /,
    ) -> t.BlastRadius:
        """Return the most calls and the most money that its grants leave room for. For people only."""

        answer: t.BlastRadius = await self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/blast-radius", agent_id)))
        return answer

    async def export_examples(
        self,
        agent_id: str,
        /,
        **body: Unpack[t.ExportBody],
    ) -> t.Exported:
        """Export approved examples for fine-tuning; with `Accept: application/jsonl`, as the file itself.

        It takes a right of its own, and is on the record with the digest of the file. What was erased is not in it.
        422 `too_many_examples`.
        """

        answer: t.Exported = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/examples/export", agent_id), body=body))
        return answer

    async def get_indicators(
        self,
        agent_id: str,
        /,
        *,
        task: str | None = None,
        version: int | None = None,
    ) -> t.Indicators:
        """Return the indicators of a version's runs, by type of task, and its regressions. For people only.

        404 `unknown_version`; `unknown_task`: the version does not declare it.
        """

        answer: t.Indicators = await self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/indicators", agent_id), query={"task": task, "version": version}))
        return answer

    async def get_preflight(
        self,
        agent_id: str,
        /,
        *,
        version: int | None = None,
    ) -> t.Preflight:
        """Check a version, the newest unless one is named: every guardrail that is missing, with its remedy.

        Beside them the advice: defences that it may do without. A retired version gets none.
        """

        answer: t.Preflight = await self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/preflight", agent_id), query={"version": version}))
        return answer

    async def recertify_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RecertifyAgentBody],
    ) -> t.Agent:
        """Say that an agent is still wanted; its owner cannot, and one that is suspended stays so."""

        answer: t.Agent = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/recertify", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def revoke_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Agent:
        """End an agent for good, its account, keys and leases with it; takes a fresh second factor."""

        answer: t.Agent = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/revoke", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def update_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UpdateAgentBody],
    ) -> t.Agent:
        """Change an agent's name, purpose, sponsor or end; takes a fresh second factor."""

        answer: t.Agent = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/update", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def foresee_call(
        self,
        agent_id: str,
        /,
        **body: Unpack[t.WhatIfBody],
    ) -> t.Foresight:
        """Return what would be decided, and why. Nothing is called, and nothing is kept."""

        answer: t.Foresight = await self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/what-if", agent_id), body=body))
        return answer

    async def list_applications(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
        state: Literal["active", "revoked"] | None = None,
    ) -> t.ApplicationPage:
        """List applications, newest first."""

        answer: t.ApplicationPage = await self._answer(Call("GET", "/api/v1/applications", query={"cursor": cursor, "limit": limit, "slug": slug, "state": state}))
        return answer

    async def create_application(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateApplicationBody],
    ) -> t.Application:
        """Make an application with its account; it has no key yet, and may start nothing."""

        answer: t.Application = await self._answer(Call("POST", "/api/v1/applications", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_application(
        self,
        application_id: str,
        /,
    ) -> t.Application:
        """Return an application."""

        answer: t.Application = await self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}", application_id)))
        return answer

    async def allow_start(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartBody],
    ) -> t.StartRight:
        """Let an application start runs of an agent of its team; takes a fresh second factor."""

        answer: t.StartRight = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/allow-start", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def forbid_start(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartBody],
    ) -> t.StartRight:
        """Take the right to start an agent's runs back; takes a fresh second factor."""

        answer: t.StartRight = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/forbid-start", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_application_keys(
        self,
        application_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.ApiKeyPage:
        """List an application's keys, newest first."""

        answer: t.ApiKeyPage = await self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}/keys", application_id), query={"cursor": cursor, "limit": limit}))
        return answer

    async def issue_application_key(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.IssueKeyBody],
    ) -> t.IssuedApiKey:
        """Issue a key to an application, and show its text, this once; takes a fresh second factor."""

        answer: t.IssuedApiKey = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/keys", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_application_key(
        self,
        api_key_id: str,
        application_id: str,
        /,
    ) -> t.ApiKey:
        """Return a key, without its text."""

        answer: t.ApiKey = await self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}/keys/{api_key_id}", application_id, api_key_id)))
        return answer

    async def revoke_application_key(
        self,
        api_key_id: str,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.ApiKey:
        """Stop an application's key at once; takes a fresh second factor. Doing it twice is fine."""

        answer: t.ApiKey = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/keys/{api_key_id}/revoke", application_id, api_key_id), key=idempotency_key or new_key()))
        return answer

    async def revoke_application(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Application:
        """Close an application for good, its keys and tokens with it; takes a fresh second factor."""

        answer: t.Application = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/revoke", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def update_application(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UpdateApplicationBody],
    ) -> t.Application:
        """Change an application's name, or whether it is trusted to say for whom it acts; takes a fresh factor."""

        answer: t.Application = await self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/update", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def open_approval_batch(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BatchBody],
    ) -> t.Batch:
        """Put requests together that you want to decide alike, and see which of them may be. Nothing is decided."""

        answer: t.Batch = await self._answer(Call("POST", "/api/v1/approval-batches", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_approval_batch(
        self,
        batch_id: str,
        /,
    ) -> t.Batch:
        """Return a batch; one that is not confirmed as its last check found it, at `checked_at`."""

        answer: t.Batch = await self._answer(Call("GET", Call.path("/api/v1/approval-batches/{batch_id}", batch_id)))
        return answer

    async def check_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Batch:
        """Look at each request of your batch again while it is a draft: what was opened meanwhile may be ready now.

        The decision checks each once more in any case.
        """

        answer: t.Batch = await self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/check", batch_id), key=idempotency_key or new_key()))
        return answer

    async def decide_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BatchDecisionBody],
    ) -> t.Batch:
        """Decide all that is ready, as the batch's person with a fresh second factor; each is checked once more.

        Answers 409 when the list is not the one that the digest names, or when too little of it was opened. Asked
        again, it goes on where it was interrupted, and returns the batch as it stands then. A security key signs
        the list where `beginKeyProof` was told `batch-`, the verdict, a colon, and the digest.
        """

        answer: t.Batch = await self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/decision", batch_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_approval_batch_items(
        self,
        batch_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["ready", "excluded", "left_out", "decided"] | None = None,
    ) -> t.ItemPage:
        """List the requests of a batch: which are excluded and why, and what became of each."""

        answer: t.ItemPage = await self._answer(Call("GET", Call.path("/api/v1/approval-batches/{batch_id}/items", batch_id), query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def leave_out_of_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.LeaveOutBody],
    ) -> t.Batch:
        """Take requests out of your batch while it is a draft; they go on waiting, and the digest of the list changes.

        What was drawn of them has to be opened all the same. Answers 409 once the batch is confirmed.
        """

        answer: t.Batch = await self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/leave-out", batch_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_approval_groups(
        self,
    ) -> t.ApprovalGroups:
        """List what you may decide now by tool and argument template, what is unusual first; at most 5,000 requests."""

        answer: t.ApprovalGroups = await self._answer(Call("GET", "/api/v1/approval-groups"))
        return answer

    async def list_approvals(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        decidable: bool | None = None,
        limit: int | None = None,
        since: str | None = None,
        state: Literal["waiting", "approved", "denied", "expired", "voided", "edited", "asked"] | None = None,
    ) -> t.ApprovalPage:
        """List requests for approval, newest first; those of a change set once that is offered."""

        answer: t.ApprovalPage = await self._answer(Call("GET", "/api/v1/approvals", query={"agent": agent, "cursor": cursor, "decidable": decidable, "limit": limit, "since": since, "state": state}))
        return answer

    async def get_approval(
        self,
        approval_id: str,
        /,
    ) -> t.Approval:
        """Return a request with the evidence for its decision. For people it counts as opened, as batches ask."""

        answer: t.Approval = await self._answer(Call("GET", Call.path("/api/v1/approvals/{approval_id}", approval_id)))
        return answer

    async def decide_approval(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DecisionBody],
    ) -> t.Decided:
        """Approve or deny, as a person with a fresh second factor.

        With an API key, open the window with `stepUp` first; where a security key has to sign, `beginKeyProof` is told
        what about: the verdict, a colon, and the digest. Answers 409 when the request is decided or
        expired, or when the call is not the one that the digest names.
        """

        answer: t.Decided = await self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/decision", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def edit_approval(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EditBody],
    ) -> t.Decided:
        """Have the call made as you looked at it, as a person with a fresh second factor. It is your yes, too.

        The request is `edited`; where other people have to say yes, another request follows it, with what differs.
        """

        answer: t.Decided = await self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/edit", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def preview_edit(
        self,
        approval_id: str,
        /,
        **body: Unpack[t.EditPreviewBody],
    ) -> t.Look:
        """Return what the call would be: its new digest, what differs, whose yes it takes. Nothing is kept.

        Answers 422 with a sentence for arguments with which it may not go out, 409 where there is nothing to edit.
        """

        answer: t.Look = await self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/edit/preview", approval_id), body=body))
        return answer

    async def ask_agent(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.QuestionBody],
    ) -> t.Decided:
        """Ask the agent: the request is `asked`, its call is not made, and the run goes on with the question.

        The agent may answer and propose the call again, which makes another request. After three questions about a
        tool in one run it is 409 `asked_enough`.
        """

        answer: t.Decided = await self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/question", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_campaigns(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["open", "closed"] | None = None,
    ) -> t.CampaignPage:
        """List campaigns, newest first."""

        answer: t.CampaignPage = await self._answer(Call("GET", "/api/v1/campaigns", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def get_campaign(
        self,
        campaign_id: str,
        /,
    ) -> t.CampaignDetail:
        """Return a campaign with its grants, and what became of each."""

        answer: t.CampaignDetail = await self._answer(Call("GET", Call.path("/api/v1/campaigns/{campaign_id}", campaign_id)))
        return answer

    async def list_change_sets(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["draft", "offered", "applied", "declined", "superseded", "voided"] | None = None,
    ) -> t.ChangeSetPage:
        """List change sets, newest first; `state=offered` are those that wait for review."""

        answer: t.ChangeSetPage = await self._answer(Call("GET", "/api/v1/change-sets", query={"agent": agent, "cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def get_change_set(
        self,
        change_set_id: str,
        /,
    ) -> t.ChangeSetDetail:
        """Return what is proposed, item by item, what was decided about it, and what became of it."""

        answer: t.ChangeSetDetail = await self._answer(Call("GET", Call.path("/api/v1/change-sets/{change_set_id}", change_set_id)))
        return answer

    async def apply_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ApplyBody],
    ) -> t.ChangeSet:
        """Have what was approved carried out by the run that then has the set's id; follow it like any other.

        409 `items_undecided` while an item waits. With nothing approved the set is declined.
        """

        answer: t.ChangeSet = await self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/apply", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def decide_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ItemsDecisionBody],
    ) -> t.Verdicts:
        """Approve or deny items, as a person with a fresh second factor.

        Answers 409 when the set is not under review any more, or is not the one that the digest names. An item that
        could not be decided says why; the others are. A security key signs the items where `beginKeyProof` was told
        `changes:`, the digest, and the items in order: `:approve=1,3;deny=2`.
        """

        answer: t.Verdicts = await self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/decision", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def send_back_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.SendBackBody],
    ) -> t.ChangeSet:
        """Send it back with comments: the run goes on and proposes a next version; nothing of this one is done."""

        answer: t.ChangeSet = await self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/return", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_confirmations(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        run: str | None = None,
        state: Literal["waiting", "confirmed", "refused", "expired", "voided"] | None = None,
    ) -> t.ConfirmationPage:
        """List what end users are asked, newest first."""

        answer: t.ConfirmationPage = await self._answer(Call("GET", "/api/v1/confirmations", query={"cursor": cursor, "limit": limit, "run": run, "state": state}))
        return answer

    async def get_confirmation(
        self,
        confirmation_id: str,
        /,
    ) -> t.Confirmation:
        """Return a question with what to show the user."""

        answer: t.Confirmation = await self._answer(Call("GET", Call.path("/api/v1/confirmations/{confirmation_id}", confirmation_id)))
        return answer

    async def answer_confirmation(
        self,
        confirmation_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ConfirmationAnswerBody],
    ) -> t.AnsweredConfirmation:
        """Say, as the application, that the user confirms or refuses exactly this.

        403 `not_the_application` for anybody else, people included; 403 `principal_not_proven` or `not_the_user`
        without proof that it is the run's user. 409 when it was answered, has expired or is void, or the digest is
        of another call.
        """

        answer: t.AnsweredConfirmation = await self._answer(Call("POST", Call.path("/api/v1/confirmations/{confirmation_id}/answer", confirmation_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_dead_letters(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["parked", "redriven", "discarded"] | None = None,
    ) -> t.DeadLetterPage:
        """List runs that are parked, or were, newest first."""

        answer: t.DeadLetterPage = await self._answer(Call("GET", "/api/v1/dead-letters", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def get_dead_letter(
        self,
        letter_id: str,
        /,
    ) -> t.DeadLetter:
        """Return why a run was parked, after how many drives, and where its stream ends."""

        answer: t.DeadLetter = await self._answer(Call("GET", Call.path("/api/v1/dead-letters/{letter_id}", letter_id)))
        return answer

    async def discard_dead_letter(
        self,
        letter_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DiscardBody],
    ) -> t.DeadLetter:
        """Give a parked run up: it halts as `killed`, with this reason on its record."""

        answer: t.DeadLetter = await self._answer(Call("POST", Call.path("/api/v1/dead-letters/{letter_id}/discard", letter_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def redrive_dead_letter(
        self,
        letter_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RedriveBody],
    ) -> t.DeadLetter:
        """Have a parked run driven again, with all its tries."""

        answer: t.DeadLetter = await self._answer(Call("POST", Call.path("/api/v1/dead-letters/{letter_id}/redrive", letter_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_evaluation_sets(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.EvaluationSetPage:
        """List the sets of the agents of the caller's teams, newest first."""

        answer: t.EvaluationSetPage = await self._answer(Call("GET", "/api/v1/evaluation-sets", query={"cursor": cursor, "limit": limit}))
        return answer

    async def get_evaluation_set(
        self,
        set_id: str,
        /,
    ) -> t.WholeEvaluationSet:
        """Return a set with its cases."""

        answer: t.WholeEvaluationSet = await self._answer(Call("GET", Call.path("/api/v1/evaluation-sets/{set_id}", set_id)))
        return answer

    async def evaluate_version(
        self,
        set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EvaluationBody],
    ) -> t.Evaluation:
        """Have a version tried by every case of a set: the model is asked, and no tool is called.

        Who may start runs of the agent may. 404 `unknown_version`; 409 `agent_not_active`, `no_cases`; 422
        `budget_too_small`, `bad_repeat`, `planned_outside`.
        """

        answer: t.Evaluation = await self._answer(Call("POST", Call.path("/api/v1/evaluation-sets/{set_id}/evaluate", set_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_evaluations(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        set: str | None = None,
    ) -> t.EvaluationPage:
        """List evaluations, newest first."""

        answer: t.EvaluationPage = await self._answer(Call("GET", "/api/v1/evaluations", query={"cursor": cursor, "limit": limit, "set": set}))
        return answer

    async def get_evaluation(
        self,
        evaluation_id: str,
        /,
    ) -> t.WholeEvaluation:
        """Return an evaluation with what came of each case so far."""

        answer: t.WholeEvaluation = await self._answer(Call("GET", Call.path("/api/v1/evaluations/{evaluation_id}", evaluation_id)))
        return answer

    async def compare_evaluations(
        self,
        evaluation_id: str,
        /,
        *,
        other: str | None = None,
    ) -> t.EvaluationComparison:
        """Put two evaluations of one agent side by side: what passed, and what it took, per case and in sum.

        Of each difference it is said whether repetition alone could explain it. 404 `unknown_evaluation`; 422
        `another_agent`.
        """

        answer: t.EvaluationComparison = await self._answer(Call("GET", Call.path("/api/v1/evaluations/{evaluation_id}/compare", evaluation_id), query={"other": other}))
        return answer

    async def stop_evaluation(
        self,
        evaluation_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Evaluation:
        """Start no more of its cases; what has begun goes to its end. 409 `not_running`."""

        answer: t.Evaluation = await self._answer(Call("POST", Call.path("/api/v1/evaluations/{evaluation_id}/stop", evaluation_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_extensions(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "granted", "refused", "expired", "voided"] | None = None,
    ) -> t.ExtensionPage:
        """List runs that ask, or asked, to go on, newest first."""

        answer: t.ExtensionPage = await self._answer(Call("GET", "/api/v1/extensions", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def get_extension(
        self,
        extension_id: str,
        /,
    ) -> t.Extension:
        """Return a question with what the run has done so far."""

        answer: t.Extension = await self._answer(Call("GET", Call.path("/api/v1/extensions/{extension_id}", extension_id)))
        return answer

    async def decide_extension(
        self,
        extension_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ExtensionDecisionBody],
    ) -> t.DecidedExtension:
        """Let the run go on with a bounded amount more, or not, as a person with a fresh second factor.

        What is granted is reserved of shared budgets at once: 409 `budget_short` where they have too little left.
        """

        answer: t.DecidedExtension = await self._answer(Call("POST", Call.path("/api/v1/extensions/{extension_id}/decision", extension_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_handovers(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        open: bool | None = None,
    ) -> t.HandoverPage:
        """List conversations that were handed over, newest first."""

        answer: t.HandoverPage = await self._answer(Call("GET", "/api/v1/handovers", query={"cursor": cursor, "limit": limit, "open": open}))
        return answer

    async def get_handover(
        self,
        handover_id: str,
        /,
    ) -> t.Conversation:
        """Return the conversation in full, with who said what."""

        answer: t.Conversation = await self._answer(Call("GET", Call.path("/api/v1/handovers/{handover_id}", handover_id)))
        return answer

    async def answer_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MessageBody],
    ) -> t.AnsweredHandover:
        """Answer the conversation; the run goes on with what you say."""

        answer: t.AnsweredHandover = await self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/answer", handover_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def claim_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.AnsweredHandover:
        """Take the conversation upon yourself: others are kept from answering it for half an hour."""

        answer: t.AnsweredHandover = await self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/claim", handover_id), key=idempotency_key or new_key()))
        return answer

    async def close_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ClosingBody],
    ) -> t.AnsweredHandover:
        """End the conversation with your answer to the user; the run completes with it."""

        answer: t.AnsweredHandover = await self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/close", handover_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def release_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.AnsweredHandover:
        """Let others have a conversation that you have claimed."""

        answer: t.AnsweredHandover = await self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/release", handover_id), key=idempotency_key or new_key()))
        return answer

    async def list_key_sets(
        self,
        *,
        agent: str | None = None,
        application: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.KeySetPage:
        """List generations of key sets, newest first."""

        answer: t.KeySetPage = await self._answer(Call("GET", "/api/v1/key-sets", query={"agent": agent, "application": application, "cursor": cursor, "limit": limit}))
        return answer

    async def issue_key_set(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.IssueKeySetBody],
    ) -> t.IssuedKeySet:
        """Give an agent or application its key set, or the next generation of it; takes a fresh second factor.

        The generation before works until this one is used, and for an hour at most. A private key is refused.
        """

        answer: t.IssuedKeySet = await self._answer(Call("POST", "/api/v1/key-sets", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_key_set(
        self,
        key_set_id: str,
        /,
    ) -> t.KeySet:
        """Return a generation of a key set."""

        answer: t.KeySet = await self._answer(Call("GET", Call.path("/api/v1/key-sets/{key_set_id}", key_set_id)))
        return answer

    async def revoke_key_set(
        self,
        key_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.KeySet:
        """Stop a generation at once: whoever has it gets no more tokens. Takes a fresh second factor."""

        answer: t.KeySet = await self._answer(Call("POST", Call.path("/api/v1/key-sets/{key_set_id}/revoke", key_set_id), key=idempotency_key or new_key()))
        return answer

    async def list_memories(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "quarantined", "reverted", "deleted"] | None = None,
    ) -> t.MemoryPage:
        """List what agents have noted for later runs, newest first."""

        answer: t.MemoryPage = await self._answer(Call("GET", "/api/v1/memories", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def get_memory(
        self,
        memory_id: str,
        /,
    ) -> t.MemoryDetail:
        """Return a note, the runs that were shown it, and what those have noted since."""

        answer: t.MemoryDetail = await self._answer(Call("GET", Call.path("/api/v1/memories/{memory_id}", memory_id)))
        return answer

    async def delete_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryDeletionBody],
    ) -> t.MemoryDetail:
        """Delete the words of a note; no later run is shown it."""

        answer: t.MemoryDetail = await self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/delete", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def release_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryReasonBody],
    ) -> t.MemoryDetail:
        """Release a note from quarantine; what a call takes from it is believed no more than before."""

        answer: t.MemoryDetail = await self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/release", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def revert_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryReasonBody],
    ) -> t.MemoryDetail:
        """Take a note back at once, and return the runs that were shown it, and what those have noted since."""

        answer: t.MemoryDetail = await self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/revert", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_installation_preflight(
        self,
    ) -> t.InstallationPreflight:
        """Check settings, database role and all published versions; for superusers, others get 403."""

        answer: t.InstallationPreflight = await self._answer(Call("GET", "/api/v1/preflight"))
        return answer

    async def list_proposals(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "activated", "rejected", "withdrawn", "expired", "outdated"] | None = None,
        team: str | None = None,
        verb: str | None = None,
    ) -> t.ProposalPage:
        """List proposals of changes, newest first."""

        answer: t.ProposalPage = await self._answer(Call("GET", "/api/v1/proposals", query={"cursor": cursor, "limit": limit, "state": state, "team": team, "verb": verb}))
        return answer

    async def propose_change(
        self,
        body: t.ProposalBody,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Proposed:
        """Propose a change, for somebody else to activate. The same again is the same proposal.

        Who may not do it together with a second person may not propose it either: 403. Answers 409 when all is
        so already.
        """

        answer: t.Proposed = await self._answer(Call("POST", "/api/v1/proposals", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_proposal(
        self,
        proposal_id: str,
        /,
    ) -> t.ProposalDetail:
        """Return a proposal with its differences, and whether you may decide about it."""

        answer: t.ProposalDetail = await self._answer(Call("GET", Call.path("/api/v1/proposals/{proposal_id}", proposal_id)))
        return answer

    async def activate_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Proposed:
        """Put a change into force, as the second person, with a fresh second factor. With an API key, open the window with `stepUp` first. 409 when it is decided, expired, or no longer what would be done."""

        answer: t.Proposed = await self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/activate", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def reject_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RejectionBody],
    ) -> t.Proposed:
        """Refuse a change, as the second person, with a fresh second factor. 409 when it is decided or expired."""

        answer: t.Proposed = await self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/reject", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def roll_back_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.WhyBody],
    ) -> t.RolledBack:
        """Bring back what was before an activated change. To tighten again is done at once, to loosen again is proposed."""

        answer: t.RolledBack = await self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/roll-back", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def withdraw_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Proposed:
        """Take back what you proposed. 409 when it is decided or expired."""

        answer: t.Proposed = await self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/withdraw", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_review_capacity(
        self,
    ) -> t.ReviewLoad:
        """Return how the reviewers of your teams are loaded, the fullest first; teams without a bound are absent."""

        answer: t.ReviewLoad = await self._answer(Call("GET", "/api/v1/review-capacity"))
        return answer

    async def list_runs(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        held: bool | None = None,
        limit: int | None = None,
        since: str | None = None,
        state: Literal["queued", "in_progress", "requires_action", "paused", "cancelling", "completed", "halted", "failed", "cancelled", "expired"] | None = None,
    ) -> t.RunPage:
        """List runs, newest first."""

        answer: t.RunPage = await self._answer(Call("GET", "/api/v1/runs", query={"agent": agent, "cursor": cursor, "held": held, "limit": limit, "since": since, "state": state}))
        return answer

    async def start_run(
        self,
        *,
        traceparent: str | None = None,
        tracestate: str | None = None,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartRunBody],
    ) -> t.Run:
        """Give an agent a task.

        Answers 403 `principal_not_proven` when the caller may not say for whom the run acts.
        403 `application_only` or `staff_only`: the agent is started by the others.
        422 `unknown_task`: the agent's version does not declare it.
        409 `parent_ended`: nothing is done any more on behalf of that run.
        """

        answer: t.Run = await self._answer(Call("POST", "/api/v1/runs", headers={"traceparent": traceparent, "tracestate": tracestate}, key=idempotency_key or new_key(), body=body))
        return answer

    async def get_run(
        self,
        run_id: str,
        /,
    ) -> t.RunDetail:
        """Return a run, with its answer once it has ended."""

        answer: t.RunDetail = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}", run_id)))
        return answer

    async def settle_outcome(
        self,
        call: int,
        run_id: str,
        step: int,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.OutcomeBody],
    ) -> t.Run:
        """Say whether a call with an unknown outcome took place, so that the run can go on."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/calls/{step}/{call}/outcome", run_id, step, call), key=idempotency_key or new_key(), body=body))
        return answer

    async def veto_call(
        self,
        call: int,
        run_id: str,
        step: int,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.VetoBody],
    ) -> t.Run:
        """Keep a call that is held (`held_until`) from going out; the agent is told why. 409 when it is not held any more."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/calls/{step}/{call}/veto", run_id, step, call), key=idempotency_key or new_key(), body=body))
        return answer

    async def cancel_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Stop the run as soon as no effect is under way. 409 when it has ended already."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/cancel", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_children(
        self,
        run_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.RunPage:
        """List the children of a run that you may see, newest first: those to whom its calls gave tasks (`given_by`),
        and those that an application started on its behalf.
        """

        answer: t.RunPage = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/children", run_id), query={"cursor": cursor, "limit": limit}))
        return answer

    async def list_events(
        self,
        run_id: str,
        /,
        *,
        after: int | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.EventPage:
        """List the events of a run, oldest first; with `Accept: text/event-stream`, follow them live.

        A stream goes on behind `Last-Event-ID`, or behind `after`, sends a comment every 15 seconds and ends
        with the event that ends the run.
        """

        answer: t.EventPage = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/events", run_id), query={"after": after, "cursor": cursor, "limit": limit}))
        return answer

    async def decide_example(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ExampleBody],
    ) -> t.Example:
        """Approve or reject steps of a run that has ended as an example to learn from; said anew, it counts.

        It takes a right of its own. 409 `run_not_ended`, `erased`, `not_an_example`; 422 `unknown_step`.
        """

        answer: t.Example = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/example", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def compare_fork(
        self,
        run_id: str,
        /,
    ) -> t.ForkReport:
        """Show a fork beside the run that it was forked from. 404 `unknown_fork` for a run that is none."""

        answer: t.ForkReport = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/fork", run_id)))
        return answer

    async def fork_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ForkBody],
    ) -> t.Run:
        """Start a fork of a run that has ended: a run that recalls the steps before, and makes no calls.

        From the step on the model is asked, within a budget of its own. A call is answered as it was then, where it
        was made with the same arguments; otherwise it is not made, and says what policy would have. Only people may.
        409 `not_forkable`, `run_not_ended`, `erased`, `not_recorded`, `agent_not_active`.
        """

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/fork", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def answer_input(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.InputBody],
    ) -> t.Run:
        """Answer the question that the agent asked the user."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/input", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def kill_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Halt the run at once, as an operator: no further call, the reason on record."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/kill", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def add_message(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MessageBody],
    ) -> t.Run:
        """Give the run a further message of the user; the agent reads it next."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/messages", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def pause_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Hold the run before its next step or call."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/pause", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def replay_run(
        self,
        run_id: str,
        /,
    ) -> t.Replay:
        """Decide again everything that was decided in a run, and list what would differ, the first first.

        No model, tool or person is asked, nothing is charged, and nothing is written. 409 `too_long`.
        """

        answer: t.Replay = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/replay", run_id)))
        return answer

    async def resume_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Let a paused run go on."""

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/resume", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_steps(
        self,
        run_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.StepPage:
        """List the steps of a run, oldest first, with their calls, usage and cost."""

        answer: t.StepPage = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/steps", run_id), query={"cursor": cursor, "limit": limit}))
        return answer

    async def get_trace(
        self,
        run_id: str,
        /,
        *,
        contents: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.Trace:
        """Return what the run decided, what it executed and where it broke, oldest first, and what it cost.

        The items come in pages; `totals` is of the whole run on each of them.
        """

        answer: t.Trace = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/trace", run_id), query={"contents": contents, "cursor": cursor, "limit": limit}))
        return answer

    async def foresee_undo(
        self,
        run_id: str,
        /,
    ) -> t.ForeseenUndo:
        """Say of each effect of a run whether it can be undone, by what, and what the policy would say now.

        Nothing is changed, and nothing is promised: each call is assessed again when it is made.
        """

        answer: t.ForeseenUndo = await self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/undo", run_id)))
        return answer

    async def undo_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UndoBody],
    ) -> t.Run:
        """Start a run that undoes what this one has done, the latest effect first; follow it like any other.

        Only people may. 409 `run_not_ended`, `undo_under_way`, `nothing_to_undo`.
        """

        answer: t.Run = await self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/undo", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_schedules(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "paused", "ended"] | None = None,
    ) -> t.SchedulePage:
        """List schedules, newest first: those of a person's teams, or an application's own."""

        answer: t.SchedulePage = await self._answer(Call("GET", "/api/v1/schedules", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def create_schedule(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ScheduleBody],
    ) -> t.Schedule:
        """Have an agent given a task by the clock.

        Each time it is as if the caller started it then: with the right, the key and the agent's version of then. What
        is refused a few times in a row rests, and says why. 409 `name_taken`.
        """

        answer: t.Schedule = await self._answer(Call("POST", "/api/v1/schedules", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_schedule(
        self,
        schedule_id: str,
        /,
    ) -> t.Schedule:
        """Return a schedule: when it is due next, its last run, and why it rests."""

        answer: t.Schedule = await self._answer(Call("GET", Call.path("/api/v1/schedules/{schedule_id}", schedule_id)))
        return answer

    async def change_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.TaskBody],
    ) -> t.Schedule:
        """Say anew what is done, and when: all of it. Only its owner may."""

        answer: t.Schedule = await self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/change", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def end_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Schedule:
        """End it for good; what has begun goes on."""

        answer: t.Schedule = await self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/end", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def pause_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Schedule:
        """Let nothing begin by it until its owner resumes it."""

        answer: t.Schedule = await self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/pause", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def resume_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Schedule:
        """Go on with its next time, with the key of this request. Only its owner may."""

        answer: t.Schedule = await self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/resume", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_second_looks(
        self,
        *,
        cursor: str | None = None,
        is_yours: bool | None = None,
        limit: int | None = None,
        state: Literal["open", "taken"] | None = None,
    ) -> t.SecondLookPage:
        """List second looks, of the newest requests first."""

        answer: t.SecondLookPage = await self._answer(Call("GET", "/api/v1/second-looks", query={"cursor": cursor, "is_yours": is_yours, "limit": limit, "state": state}))
        return answer

    async def take_second_look(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.SecondLookBody],
    ) -> t.SecondLook:
        """Say whether you would have approved it, too; it changes nothing about the call, and is kept for good.

        For people who may approve such calls and have no part in this one, neither by deciding nor otherwise. What is
        looked at before its effect is decided as every approval is (`decideApproval`).
        """

        answer: t.SecondLook = await self._answer(Call("POST", Call.path("/api/v1/second-looks/{approval_id}", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def step_up(
        self,
        **body: Unpack[t.StepUpBody],
    ) -> t.StepUp:
        """Open a window of at most 60 seconds in which this key may decide about approvals.

        Give a code, or what a security key answered to `beginKeyProof`.
        """

        answer: t.StepUp = await self._answer(Call("POST", "/api/v1/step-up", body=body))
        return answer

    async def begin_key_proof(
        self,
        **body: Unpack[t.KeyProofBody],
    ) -> t.KeyProof:
        """Return what the caller's security key is to sign, within two minutes; `stepUp` takes the answer, once.

        Keys answer for the one address that they were added at, in production `PUBLIC_URL`.
        """

        answer: t.KeyProof = await self._answer(Call("POST", "/api/v1/step-up/key", body=body))
        return answer

    async def make_stop(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StopBody],
    ) -> t.Stop:
        """Stop a run, an agent, a tool, an application, an end user, a key, a model provider, or everything."""

        answer: t.Stop = await self._answer(Call("POST", "/api/v1/stops", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_stop(
        self,
        stop_id: str,
        /,
    ) -> t.Stop:
        """Show what a stop met, and what has become of it since."""

        answer: t.Stop = await self._answer(Call("GET", Call.path("/api/v1/stops/{stop_id}", stop_id)))
        return answer

    async def list_switches(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        thrown: bool | None = None,
    ) -> t.SwitchPage:
        """List kill switches, newest first. For people only."""

        answer: t.SwitchPage = await self._answer(Call("GET", "/api/v1/switches", query={"cursor": cursor, "limit": limit, "thrown": thrown}))
        return answer

    async def lift_switch(
        self,
        switch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Switch:
        """Let new work begin again; runs that were halted stay so. Takes a fresh second factor.

        409 `switch_lifted`, and `key_revoked` for that of a key.
        """

        answer: t.Switch = await self._answer(Call("POST", Call.path("/api/v1/switches/{switch_id}/lift", switch_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_tables(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
    ) -> t.TablePage:
        """List decision tables, newest first."""

        answer: t.TablePage = await self._answer(Call("GET", "/api/v1/tables", query={"cursor": cursor, "limit": limit, "slug": slug}))
        return answer

    async def create_table(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateTableBody],
    ) -> t.TableDetail:
        """Name a decision that a team makes by rules; it decides nothing until a version is published."""

        answer: t.TableDetail = await self._answer(Call("POST", "/api/v1/tables", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_table(
        self,
        table_id: str,
        /,
    ) -> t.TableDetail:
        """Return a table, with the number of the version that decides now."""

        answer: t.TableDetail = await self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}", table_id)))
        return answer

    async def foresee_decision(
        self,
        table_id: str,
        /,
        **body: Unpack[t.DecideBody],
    ) -> t.MadeDecision:
        """Decide about inputs by a version, or by the one in force, now or at a time; nothing is kept.

        `outputs` is null where no rule covers the inputs. 409 `no_decision` when no version is in force; 422
        `invalid_inputs` names every input that is wrong.
        """

        answer: t.MadeDecision = await self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/decide", table_id), body=body))
        return answer

    async def import_table(
        self,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ImportBody],
    ) -> t.TableVersionDetail:
        """Make a draft of a DMN document, 1.3 to 1.5; the test cases of the draft before it stay."""

        answer: t.TableVersionDetail = await self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/import", table_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_table_versions(
        self,
        table_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.TableVersionPage:
        """List the versions of a table, the first one first."""

        answer: t.TableVersionPage = await self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions", table_id), query={"cursor": cursor, "limit": limit}))
        return answer

    async def save_table_draft(
        self,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DraftBody],
    ) -> t.TableVersionDetail:
        """Keep a draft: the table's one draft, changed, or its next version.

        It may be wrong: `problems`, `doubts` and `cases` say what keeps it from being published. 409 `draft_changed`
        when somebody has changed the draft that `seen` names.
        """

        answer: t.TableVersionDetail = await self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions", table_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_table_version(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.TableVersionDetail:
        """Return a version with its rules and test cases, and what is to be said of them."""

        answer: t.TableVersionDetail = await self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}", table_id, number)))
        return answer

    async def export_table(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.Document:
        """Return a version as a DMN 1.5 document."""

        answer: t.Document = await self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}/dmn", table_id, number)))
        return answer

    async def foresee_table(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.TableForesight:
        """Decide the recorded calls of the last 30 days again by a version, a draft as a rule. For people only.

        422 for a draft that is no table yet.
        """

        answer: t.TableForesight = await self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}/last-month", table_id, number)))
        return answer

    async def publish_table(
        self,
        number: int,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.PublishBody],
    ) -> t.TableVersion:
        """Let a draft decide from its effective date on, after its test cases have come out as expected.

        Where this takes two people it is answered with 409 `second_person_needed`: propose
        `decision_table.publish` then. 422 `gaps_or_overlaps` asks for an acknowledgement.
        """

        answer: t.TableVersion = await self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions/{number}/publish", table_id, number), key=idempotency_key or new_key(), body=body))
        return answer

    async def retire_table(
        self,
        number: int,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RetireBody],
    ) -> t.TableVersion:
        """Take a published version out of use; earlier ones do not come back."""

        answer: t.TableVersion = await self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions/{number}/retire", table_id, number), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_tool_servers(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "retired"] | None = None,
        transport: Literal["http", "stdio", "openapi", "python"] | None = None,
    ) -> t.ToolServerPage:
        """List servers of tools, newest first."""

        answer: t.ToolServerPage = await self._answer(Call("GET", "/api/v1/tool-servers", query={"cursor": cursor, "limit": limit, "state": state, "transport": transport}))
        return answer

    async def create_tool_server(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateToolServerBody],
    ) -> t.ToolServer:
        """Name a server of tools; nothing of it is taken over yet. Takes a fresh second factor."""

        answer: t.ToolServer = await self._answer(Call("POST", "/api/v1/tool-servers", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_tool_server(
        self,
        server_id: str,
        /,
    ) -> t.ToolServer:
        """Return a server of tools."""

        answer: t.ToolServer = await self._answer(Call("GET", Call.path("/api/v1/tool-servers/{server_id}", server_id)))
        return answer

    async def refresh_tool_server(
        self,
        server_id: str,
        /,
        **body: Unpack[t.RefreshBody],
    ) -> t.ToolServer:
        """Ask a server which tools it has, or read them out of the document that you bring.

        Tools that are described differently from what was accepted are quarantined. `trouble` says why nothing was
        learnt. Takes a fresh second factor; asked again, it does no more than ask again.
        """

        answer: t.ToolServer = await self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/refresh", server_id), body=body))
        return answer

    async def retire_tool_server(
        self,
        server_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.ToolServer:
        """Take a server out of use for good, and all of its tools with it; takes a fresh second factor."""

        answer: t.ToolServer = await self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/retire", server_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_server_tools(
        self,
        server_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.ServerToolPage:
        """List the tools of a server as it was last asked, with what can and cannot be taken over."""

        answer: t.ServerToolPage = await self._answer(Call("GET", Call.path("/api/v1/tool-servers/{server_id}/tools", server_id), query={"cursor": cursor, "limit": limit}))
        return answer

    async def import_tool(
        self,
        server_id: str,
        server_tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ImportToolBody],
    ) -> t.Tool | t.Proposal:
        """Make a tool, or its next version, of what a server describes; that accepts a changed description.

        Where it takes a second person it is proposed instead (202); once that is activated, take the same over again.
        Answers 409 when the server describes it otherwise than the digest says. Takes a fresh second factor.
        """

        answer: t.Tool | t.Proposal = await self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/tools/{server_tool_id}/import", server_id, server_tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def list_tools(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        name: str | None = None,
        state: Literal["active", "quarantined", "retired"] | None = None,
    ) -> t.ToolPage:
        """List tools, newest first."""

        answer: t.ToolPage = await self._answer(Call("GET", "/api/v1/tools", query={"cursor": cursor, "limit": limit, "name": name, "state": state}))
        return answer

    async def get_tool(
        self,
        tool_id: str,
        /,
    ) -> t.Tool:
        """Return a tool."""

        answer: t.Tool = await self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}", tool_id)))
        return answer

    async def accept_tool(
        self,
        tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.AcceptToolBody],
    ) -> t.Tool:
        """Put a tool back into service that was stopped; a description that has changed is accepted by `importTool`."""

        answer: t.Tool = await self._answer(Call("POST", Call.path("/api/v1/tools/{tool_id}/accept", tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_breaker(
        self,
        tool_id: str,
        /,
    ) -> t.BreakerHistory:
        """Return the breaker of a tool with its last 30 days. For people only."""

        answer: t.BreakerHistory = await self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}/breaker", tool_id)))
        return answer

    async def operate_breaker(
        self,
        tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BreakerBody],
    ) -> t.BreakerHistory:
        """Force the breaker open, lift that again, or reset the automatic one. Lifting takes a fresh second factor.

        409 `breaker_forced_open` and `breaker_not_forced` where it stands so already.
        """

        answer: t.BreakerHistory = await self._answer(Call("POST", Call.path("/api/v1/tools/{tool_id}/breaker", tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    async def get_tool_metrics(
        self,
        tool_id: str,
        /,
    ) -> t.ToolMetrics:
        """Return counts by outcome, reasons, and latencies by version. For people only: it is of all runs."""

        answer: t.ToolMetrics = await self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}/metrics", tool_id)))
        return answer

    async def list_webhooks(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.WebhookPage:
        """List webhooks, newest first."""

        answer: t.WebhookPage = await self._answer(Call("GET", "/api/v1/webhooks", query={"cursor": cursor, "limit": limit}))
        return answer

    async def create_webhook(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.WebhookBody],
    ) -> t.WebhookWithSecret:
        """Have a team or an application told there, as a person with the right to and a fresh second factor."""

        answer: t.WebhookWithSecret = await self._answer(Call("POST", "/api/v1/webhooks", key=idempotency_key or new_key(), body=body))
        return answer

    async def get_webhook(
        self,
        webhook_id: str,
        /,
    ) -> t.Webhook:
        """Return a webhook."""

        answer: t.Webhook = await self._answer(Call("GET", Call.path("/api/v1/webhooks/{webhook_id}", webhook_id)))
        return answer

    async def list_webhook_deliveries(
        self,
        webhook_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "sent", "dead", "dropped"] | None = None,
    ) -> t.DeliveryPage:
        """List the messages to a webhook, newest first; `dead` are those that were given up."""

        answer: t.DeliveryPage = await self._answer(Call("GET", Call.path("/api/v1/webhooks/{webhook_id}/deliveries", webhook_id), query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    async def send_webhook_again(
        self,
        delivery_id: str,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Delivery:
        """Send a message again that was given up, under the id that it had."""

        answer: t.Delivery = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/send-again", webhook_id, delivery_id), key=idempotency_key or new_key()))
        return answer

    async def disable_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Stop a webhook; what waits for it is given up."""

        answer: t.Webhook = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/disable", webhook_id), key=idempotency_key or new_key()))
        return answer

    async def enable_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Tell a stopped webhook again, of what comes from now on."""

        answer: t.Webhook = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/enable", webhook_id), key=idempotency_key or new_key()))
        return answer

    async def remove_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Remove a webhook for good, its address and secret with it."""

        answer: t.Webhook = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/remove", webhook_id), key=idempotency_key or new_key()))
        return answer

    async def rotate_webhook_secret(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.WebhookWithSecret:
        """Give a webhook another secret; for a day the former one signs, too."""

        answer: t.WebhookWithSecret = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/rotate", webhook_id), key=idempotency_key or new_key()))
        return answer

    async def try_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Delivery:
        """Send a test message. An application may try its own webhooks."""

        answer: t.Delivery = await self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/test", webhook_id), key=idempotency_key or new_key()))
        return answer


class Operations(Protocol):
    """All operations."""

    def _answer(self, call: Call) -> Any: ...

    def list_absences(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        standing: bool | None = None,
    ) -> t.AbsencePage:
        """List absences, newest first."""

        answer: t.AbsencePage = self._answer(Call("GET", "/api/v1/absences", query={"cursor": cursor, "limit": limit, "standing": standing}))
        return answer

    def declare_absence(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DeclareAbsenceBody],
    ) -> t.Absence:
        """Say that you are away and who decides meanwhile, as a person with a fresh second factor."""

        answer: t.Absence = self._answer(Call("POST", "/api/v1/absences", key=idempotency_key or new_key(), body=body))
        return answer

    def get_absence(
        self,
        absence_id: str,
        /,
    ) -> t.Absence:
        """Return an absence."""

        answer: t.Absence = self._answer(Call("GET", Call.path("/api/v1/absences/{absence_id}", absence_id)))
        return answer

    def end_absence(
        self,
        absence_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Absence:
        """Take the deputy's seat back at once. Both of them may, and who may name deputies there."""

        answer: t.Absence = self._answer(Call("POST", Call.path("/api/v1/absences/{absence_id}/end", absence_id), key=idempotency_key or new_key()))
        return answer

    def list_agents(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
        state: Literal["draft", "active", "suspended", "revoked"] | None = None,
    ) -> t.AgentPage:
        """List agents, newest first."""

        answer: t.AgentPage = self._answer(Call("GET", "/api/v1/agents", query={"cursor": cursor, "limit": limit, "slug": slug, "state": state}))
        return answer

    def create_agent(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateAgentBody],
    ) -> t.Agent:
        """Create an agent as a draft: it has no grants and no keys, and does not act before `activateAgent`."""

        answer: t.Agent = self._answer(Call("POST", "/api/v1/agents", key=idempotency_key or new_key(), body=body))
        return answer

    def get_agent(
        self,
        agent_id: str,
        /,
    ) -> t.Agent:
        """Return an agent."""

        answer: t.Agent = self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}", agent_id)))
        return answer

    def activate_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Agent:
        """Let an agent act; takes a fresh second factor, and where a rule says so a proposal (`agent.activate`)."""

        answer: t.Agent = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/activate", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_blast_radius(
        self,
        agent_id: str,
        /,
    ) -> t.BlastRadius:
        """Return the most calls and the most money that its grants leave room for. For people only."""

        answer: t.BlastRadius = self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/blast-radius", agent_id)))
        return answer

    def export_examples(
        self,
        agent_id: str,
        /,
        **body: Unpack[t.ExportBody],
    ) -> t.Exported:
        """Export approved examples for fine-tuning; with `Accept: application/jsonl`, as the file itself.

        It takes a right of its own, and is on the record with the digest of the file. What was erased is not in it.
        422 `too_many_examples`.
        """

        answer: t.Exported = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/examples/export", agent_id), body=body))
        return answer

    def get_indicators(
        self,
        agent_id: str,
        /,
        *,
        task: str | None = None,
        version: int | None = None,
    ) -> t.Indicators:
        """Return the indicators of a version's runs, by type of task, and its regressions. For people only.

        404 `unknown_version`; `unknown_task`: the version does not declare it.
        """

        answer: t.Indicators = self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/indicators", agent_id), query={"task": task, "version": version}))
        return answer

    def get_preflight(
        self,
        agent_id: str,
        /,
        *,
        version: int | None = None,
    ) -> t.Preflight:
        """Check a version, the newest unless one is named: every guardrail that is missing, with its remedy.

        Beside them the advice: defences that it may do without. A retired version gets none.
        """

        answer: t.Preflight = self._answer(Call("GET", Call.path("/api/v1/agents/{agent_id}/preflight", agent_id), query={"version": version}))
        return answer

    def recertify_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RecertifyAgentBody],
    ) -> t.Agent:
        """Say that an agent is still wanted; its owner cannot, and one that is suspended stays so."""

        answer: t.Agent = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/recertify", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    def revoke_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Agent:
        """End an agent for good, its account, keys and leases with it; takes a fresh second factor."""

        answer: t.Agent = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/revoke", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    def update_agent(
        self,
        agent_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UpdateAgentBody],
    ) -> t.Agent:
        """Change an agent's name, purpose, sponsor or end; takes a fresh second factor."""

        answer: t.Agent = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/update", agent_id), key=idempotency_key or new_key(), body=body))
        return answer

    def foresee_call(
        self,
        agent_id: str,
        /,
        **body: Unpack[t.WhatIfBody],
    ) -> t.Foresight:
        """Return what would be decided, and why. Nothing is called, and nothing is kept."""

        answer: t.Foresight = self._answer(Call("POST", Call.path("/api/v1/agents/{agent_id}/what-if", agent_id), body=body))
        return answer

    def list_applications(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
        state: Literal["active", "revoked"] | None = None,
    ) -> t.ApplicationPage:
        """List applications, newest first."""

        answer: t.ApplicationPage = self._answer(Call("GET", "/api/v1/applications", query={"cursor": cursor, "limit": limit, "slug": slug, "state": state}))
        return answer

    def create_application(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateApplicationBody],
    ) -> t.Application:
        """Make an application with its account; it has no key yet, and may start nothing."""

        answer: t.Application = self._answer(Call("POST", "/api/v1/applications", key=idempotency_key or new_key(), body=body))
        return answer

    def get_application(
        self,
        application_id: str,
        /,
    ) -> t.Application:
        """Return an application."""

        answer: t.Application = self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}", application_id)))
        return answer

    def allow_start(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartBody],
    ) -> t.StartRight:
        """Let an application start runs of an agent of its team; takes a fresh second factor."""

        answer: t.StartRight = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/allow-start", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    def forbid_start(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartBody],
    ) -> t.StartRight:
        """Take the right to start an agent's runs back; takes a fresh second factor."""

        answer: t.StartRight = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/forbid-start", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_application_keys(
        self,
        application_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.ApiKeyPage:
        """List an application's keys, newest first."""

        answer: t.ApiKeyPage = self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}/keys", application_id), query={"cursor": cursor, "limit": limit}))
        return answer

    def issue_application_key(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.IssueKeyBody],
    ) -> t.IssuedApiKey:
        """Issue a key to an application, and show its text, this once; takes a fresh second factor."""

        answer: t.IssuedApiKey = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/keys", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_application_key(
        self,
        api_key_id: str,
        application_id: str,
        /,
    ) -> t.ApiKey:
        """Return a key, without its text."""

        answer: t.ApiKey = self._answer(Call("GET", Call.path("/api/v1/applications/{application_id}/keys/{api_key_id}", application_id, api_key_id)))
        return answer

    def revoke_application_key(
        self,
        api_key_id: str,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.ApiKey:
        """Stop an application's key at once; takes a fresh second factor. Doing it twice is fine."""

        answer: t.ApiKey = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/keys/{api_key_id}/revoke", application_id, api_key_id), key=idempotency_key or new_key()))
        return answer

    def revoke_application(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Application:
        """Close an application for good, its keys and tokens with it; takes a fresh second factor."""

        answer: t.Application = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/revoke", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    def update_application(
        self,
        application_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UpdateApplicationBody],
    ) -> t.Application:
        """Change an application's name, or whether it is trusted to say for whom it acts; takes a fresh factor."""

        answer: t.Application = self._answer(Call("POST", Call.path("/api/v1/applications/{application_id}/update", application_id), key=idempotency_key or new_key(), body=body))
        return answer

    def open_approval_batch(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BatchBody],
    ) -> t.Batch:
        """Put requests together that you want to decide alike, and see which of them may be. Nothing is decided."""

        answer: t.Batch = self._answer(Call("POST", "/api/v1/approval-batches", key=idempotency_key or new_key(), body=body))
        return answer

    def get_approval_batch(
        self,
        batch_id: str,
        /,
    ) -> t.Batch:
        """Return a batch; one that is not confirmed as its last check found it, at `checked_at`."""

        answer: t.Batch = self._answer(Call("GET", Call.path("/api/v1/approval-batches/{batch_id}", batch_id)))
        return answer

    def check_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Batch:
        """Look at each request of your batch again while it is a draft: what was opened meanwhile may be ready now.

        The decision checks each once more in any case.
        """

        answer: t.Batch = self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/check", batch_id), key=idempotency_key or new_key()))
        return answer

    def decide_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BatchDecisionBody],
    ) -> t.Batch:
        """Decide all that is ready, as the batch's person with a fresh second factor; each is checked once more.

        Answers 409 when the list is not the one that the digest names, or when too little of it was opened. Asked
        again, it goes on where it was interrupted, and returns the batch as it stands then. A security key signs
        the list where `beginKeyProof` was told `batch-`, the verdict, a colon, and the digest.
        """

        answer: t.Batch = self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/decision", batch_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_approval_batch_items(
        self,
        batch_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["ready", "excluded", "left_out", "decided"] | None = None,
    ) -> t.ItemPage:
        """List the requests of a batch: which are excluded and why, and what became of each."""

        answer: t.ItemPage = self._answer(Call("GET", Call.path("/api/v1/approval-batches/{batch_id}/items", batch_id), query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def leave_out_of_approval_batch(
        self,
        batch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.LeaveOutBody],
    ) -> t.Batch:
        """Take requests out of your batch while it is a draft; they go on waiting, and the digest of the list changes.

        What was drawn of them has to be opened all the same. Answers 409 once the batch is confirmed.
        """

        answer: t.Batch = self._answer(Call("POST", Call.path("/api/v1/approval-batches/{batch_id}/leave-out", batch_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_approval_groups(
        self,
    ) -> t.ApprovalGroups:
        """List what you may decide now by tool and argument template, what is unusual first; at most 5,000 requests."""

        answer: t.ApprovalGroups = self._answer(Call("GET", "/api/v1/approval-groups"))
        return answer

    def list_approvals(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        decidable: bool | None = None,
        limit: int | None = None,
        since: str | None = None,
        state: Literal["waiting", "approved", "denied", "expired", "voided", "edited", "asked"] | None = None,
    ) -> t.ApprovalPage:
        """List requests for approval, newest first; those of a change set once that is offered."""

        answer: t.ApprovalPage = self._answer(Call("GET", "/api/v1/approvals", query={"agent": agent, "cursor": cursor, "decidable": decidable, "limit": limit, "since": since, "state": state}))
        return answer

    def get_approval(
        self,
        approval_id: str,
        /,
    ) -> t.Approval:
        """Return a request with the evidence for its decision. For people it counts as opened, as batches ask."""

        answer: t.Approval = self._answer(Call("GET", Call.path("/api/v1/approvals/{approval_id}", approval_id)))
        return answer

    def decide_approval(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DecisionBody],
    ) -> t.Decided:
        """Approve or deny, as a person with a fresh second factor.

        With an API key, open the window with `stepUp` first; where a security key has to sign, `beginKeyProof` is told
        what about: the verdict, a colon, and the digest. Answers 409 when the request is decided or
        expired, or when the call is not the one that the digest names.
        """

        answer: t.Decided = self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/decision", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    def edit_approval(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EditBody],
    ) -> t.Decided:
        """Have the call made as you looked at it, as a person with a fresh second factor. It is your yes, too.

        The request is `edited`; where other people have to say yes, another request follows it, with what differs.
        """

        answer: t.Decided = self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/edit", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    def preview_edit(
        self,
        approval_id: str,
        /,
        **body: Unpack[t.EditPreviewBody],
    ) -> t.Look:
        """Return what the call would be: its new digest, what differs, whose yes it takes. Nothing is kept.

        Answers 422 with a sentence for arguments with which it may not go out, 409 where there is nothing to edit.
        """

        answer: t.Look = self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/edit/preview", approval_id), body=body))
        return answer

    def ask_agent(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.QuestionBody],
    ) -> t.Decided:
        """Ask the agent: the request is `asked`, its call is not made, and the run goes on with the question.

        The agent may answer and propose the call again, which makes another request. After three questions about a
        tool in one run it is 409 `asked_enough`.
        """

        answer: t.Decided = self._answer(Call("POST", Call.path("/api/v1/approvals/{approval_id}/question", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_campaigns(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["open", "closed"] | None = None,
    ) -> t.CampaignPage:
        """List campaigns, newest first."""

        answer: t.CampaignPage = self._answer(Call("GET", "/api/v1/campaigns", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def get_campaign(
        self,
        campaign_id: str,
        /,
    ) -> t.CampaignDetail:
        """Return a campaign with its grants, and what became of each."""

        answer: t.CampaignDetail = self._answer(Call("GET", Call.path("/api/v1/campaigns/{campaign_id}", campaign_id)))
        return answer

    def list_change_sets(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["draft", "offered", "applied", "declined", "superseded", "voided"] | None = None,
    ) -> t.ChangeSetPage:
        """List change sets, newest first; `state=offered` are those that wait for review."""

        answer: t.ChangeSetPage = self._answer(Call("GET", "/api/v1/change-sets", query={"agent": agent, "cursor": cursor, "limit": limit, "state": state}))
        return answer

    def get_change_set(
        self,
        change_set_id: str,
        /,
    ) -> t.ChangeSetDetail:
        """Return what is proposed, item by item, what was decided about it, and what became of it."""

        answer: t.ChangeSetDetail = self._answer(Call("GET", Call.path("/api/v1/change-sets/{change_set_id}", change_set_id)))
        return answer

    def apply_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ApplyBody],
    ) -> t.ChangeSet:
        """Have what was approved carried out by the run that then has the set's id; follow it like any other.

        409 `items_undecided` while an item waits. With nothing approved the set is declined.
        """

        answer: t.ChangeSet = self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/apply", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    def decide_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ItemsDecisionBody],
    ) -> t.Verdicts:
        """Approve or deny items, as a person with a fresh second factor.

        Answers 409 when the set is not under review any more, or is not the one that the digest names. An item that
        could not be decided says why; the others are. A security key signs the items where `beginKeyProof` was told
        `changes:`, the digest, and the items in order: `:approve=1,3;deny=2`.
        """

        answer: t.Verdicts = self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/decision", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    def send_back_change_set(
        self,
        change_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.SendBackBody],
    ) -> t.ChangeSet:
        """Send it back with comments: the run goes on and proposes a next version; nothing of this one is done."""

        answer: t.ChangeSet = self._answer(Call("POST", Call.path("/api/v1/change-sets/{change_set_id}/return", change_set_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_confirmations(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        run: str | None = None,
        state: Literal["waiting", "confirmed", "refused", "expired", "voided"] | None = None,
    ) -> t.ConfirmationPage:
        """List what end users are asked, newest first."""

        answer: t.ConfirmationPage = self._answer(Call("GET", "/api/v1/confirmations", query={"cursor": cursor, "limit": limit, "run": run, "state": state}))
        return answer

    def get_confirmation(
        self,
        confirmation_id: str,
        /,
    ) -> t.Confirmation:
        """Return a question with what to show the user."""

        answer: t.Confirmation = self._answer(Call("GET", Call.path("/api/v1/confirmations/{confirmation_id}", confirmation_id)))
        return answer

    def answer_confirmation(
        self,
        confirmation_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ConfirmationAnswerBody],
    ) -> t.AnsweredConfirmation:
        """Say, as the application, that the user confirms or refuses exactly this.

        403 `not_the_application` for anybody else, people included; 403 `principal_not_proven` or `not_the_user`
        without proof that it is the run's user. 409 when it was answered, has expired or is void, or the digest is
        of another call.
        """

        answer: t.AnsweredConfirmation = self._answer(Call("POST", Call.path("/api/v1/confirmations/{confirmation_id}/answer", confirmation_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_dead_letters(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["parked", "redriven", "discarded"] | None = None,
    ) -> t.DeadLetterPage:
        """List runs that are parked, or were, newest first."""

        answer: t.DeadLetterPage = self._answer(Call("GET", "/api/v1/dead-letters", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def get_dead_letter(
        self,
        letter_id: str,
        /,
    ) -> t.DeadLetter:
        """Return why a run was parked, after how many drives, and where its stream ends."""

        answer: t.DeadLetter = self._answer(Call("GET", Call.path("/api/v1/dead-letters/{letter_id}", letter_id)))
        return answer

    def discard_dead_letter(
        self,
        letter_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DiscardBody],
    ) -> t.DeadLetter:
        """Give a parked run up: it halts as `killed`, with this reason on its record."""

        answer: t.DeadLetter = self._answer(Call("POST", Call.path("/api/v1/dead-letters/{letter_id}/discard", letter_id), key=idempotency_key or new_key(), body=body))
        return answer

    def redrive_dead_letter(
        self,
        letter_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RedriveBody],
    ) -> t.DeadLetter:
        """Have a parked run driven again, with all its tries."""

        answer: t.DeadLetter = self._answer(Call("POST", Call.path("/api/v1/dead-letters/{letter_id}/redrive", letter_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_evaluation_sets(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.EvaluationSetPage:
        """List the sets of the agents of the caller's teams, newest first."""

        answer: t.EvaluationSetPage = self._answer(Call("GET", "/api/v1/evaluation-sets", query={"cursor": cursor, "limit": limit}))
        return answer

    def get_evaluation_set(
        self,
        set_id: str,
        /,
    ) -> t.WholeEvaluationSet:
        """Return a set with its cases."""

        answer: t.WholeEvaluationSet = self._answer(Call("GET", Call.path("/api/v1/evaluation-sets/{set_id}", set_id)))
        return answer

    def evaluate_version(
        self,
        set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EvaluationBody],
    ) -> t.Evaluation:
        """Have a version tried by every case of a set: the model is asked, and no tool is called.

        Who may start runs of the agent may. 404 `unknown_version`; 409 `agent_not_active`, `no_cases`; 422
        `budget_too_small`, `bad_repeat`, `planned_outside`.
        """

        answer: t.Evaluation = self._answer(Call("POST", Call.path("/api/v1/evaluation-sets/{set_id}/evaluate", set_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_evaluations(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        set: str | None = None,
    ) -> t.EvaluationPage:
        """List evaluations, newest first."""

        answer: t.EvaluationPage = self._answer(Call("GET", "/api/v1/evaluations", query={"cursor": cursor, "limit": limit, "set": set}))
        return answer

    def get_evaluation(
        self,
        evaluation_id: str,
        /,
    ) -> t.WholeEvaluation:
        """Return an evaluation with what came of each case so far."""

        answer: t.WholeEvaluation = self._answer(Call("GET", Call.path("/api/v1/evaluations/{evaluation_id}", evaluation_id)))
        return answer

    def compare_evaluations(
        self,
        evaluation_id: str,
        /,
        *,
        other: str | None = None,
    ) -> t.EvaluationComparison:
        """Put two evaluations of one agent side by side: what passed, and what it took, per case and in sum.

        Of each difference it is said whether repetition alone could explain it. 404 `unknown_evaluation`; 422
        `another_agent`.
        """

        answer: t.EvaluationComparison = self._answer(Call("GET", Call.path("/api/v1/evaluations/{evaluation_id}/compare", evaluation_id), query={"other": other}))
        return answer

    def stop_evaluation(
        self,
        evaluation_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Evaluation:
        """Start no more of its cases; what has begun goes to its end. 409 `not_running`."""

        answer: t.Evaluation = self._answer(Call("POST", Call.path("/api/v1/evaluations/{evaluation_id}/stop", evaluation_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_extensions(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "granted", "refused", "expired", "voided"] | None = None,
    ) -> t.ExtensionPage:
        """List runs that ask, or asked, to go on, newest first."""

        answer: t.ExtensionPage = self._answer(Call("GET", "/api/v1/extensions", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def get_extension(
        self,
        extension_id: str,
        /,
    ) -> t.Extension:
        """Return a question with what the run has done so far."""

        answer: t.Extension = self._answer(Call("GET", Call.path("/api/v1/extensions/{extension_id}", extension_id)))
        return answer

    def decide_extension(
        self,
        extension_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ExtensionDecisionBody],
    ) -> t.DecidedExtension:
        """Let the run go on with a bounded amount more, or not, as a person with a fresh second factor.

        What is granted is reserved of shared budgets at once: 409 `budget_short` where they have too little left.
        """

        answer: t.DecidedExtension = self._answer(Call("POST", Call.path("/api/v1/extensions/{extension_id}/decision", extension_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_handovers(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        open: bool | None = None,
    ) -> t.HandoverPage:
        """List conversations that were handed over, newest first."""

        answer: t.HandoverPage = self._answer(Call("GET", "/api/v1/handovers", query={"cursor": cursor, "limit": limit, "open": open}))
        return answer

    def get_handover(
        self,
        handover_id: str,
        /,
    ) -> t.Conversation:
        """Return the conversation in full, with who said what."""

        answer: t.Conversation = self._answer(Call("GET", Call.path("/api/v1/handovers/{handover_id}", handover_id)))
        return answer

    def answer_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MessageBody],
    ) -> t.AnsweredHandover:
        """Answer the conversation; the run goes on with what you say."""

        answer: t.AnsweredHandover = self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/answer", handover_id), key=idempotency_key or new_key(), body=body))
        return answer

    def claim_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.AnsweredHandover:
        """Take the conversation upon yourself: others are kept from answering it for half an hour."""

        answer: t.AnsweredHandover = self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/claim", handover_id), key=idempotency_key or new_key()))
        return answer

    def close_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ClosingBody],
    ) -> t.AnsweredHandover:
        """End the conversation with your answer to the user; the run completes with it."""

        answer: t.AnsweredHandover = self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/close", handover_id), key=idempotency_key or new_key(), body=body))
        return answer

    def release_handover(
        self,
        handover_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.AnsweredHandover:
        """Let others have a conversation that you have claimed."""

        answer: t.AnsweredHandover = self._answer(Call("POST", Call.path("/api/v1/handovers/{handover_id}/release", handover_id), key=idempotency_key or new_key()))
        return answer

    def list_key_sets(
        self,
        *,
        agent: str | None = None,
        application: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.KeySetPage:
        """List generations of key sets, newest first."""

        answer: t.KeySetPage = self._answer(Call("GET", "/api/v1/key-sets", query={"agent": agent, "application": application, "cursor": cursor, "limit": limit}))
        return answer

    def issue_key_set(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.IssueKeySetBody],
    ) -> t.IssuedKeySet:
        """Give an agent or application its key set, or the next generation of it; takes a fresh second factor.

        The generation before works until this one is used, and for an hour at most. A private key is refused.
        """

        answer: t.IssuedKeySet = self._answer(Call("POST", "/api/v1/key-sets", key=idempotency_key or new_key(), body=body))
        return answer

    def get_key_set(
        self,
        key_set_id: str,
        /,
    ) -> t.KeySet:
        """Return a generation of a key set."""

        answer: t.KeySet = self._answer(Call("GET", Call.path("/api/v1/key-sets/{key_set_id}", key_set_id)))
        return answer

    def revoke_key_set(
        self,
        key_set_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.KeySet:
        """Stop a generation at once: whoever has it gets no more tokens. Takes a fresh second factor."""

        answer: t.KeySet = self._answer(Call("POST", Call.path("/api/v1/key-sets/{key_set_id}/revoke", key_set_id), key=idempotency_key or new_key()))
        return answer

    def list_memories(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "quarantined", "reverted", "deleted"] | None = None,
    ) -> t.MemoryPage:
        """List what agents have noted for later runs, newest first."""

        answer: t.MemoryPage = self._answer(Call("GET", "/api/v1/memories", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def get_memory(
        self,
        memory_id: str,
        /,
    ) -> t.MemoryDetail:
        """Return a note, the runs that were shown it, and what those have noted since."""

        answer: t.MemoryDetail = self._answer(Call("GET", Call.path("/api/v1/memories/{memory_id}", memory_id)))
        return answer

    def delete_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryDeletionBody],
    ) -> t.MemoryDetail:
        """Delete the words of a note; no later run is shown it."""

        answer: t.MemoryDetail = self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/delete", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    def release_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryReasonBody],
    ) -> t.MemoryDetail:
        """Release a note from quarantine; what a call takes from it is believed no more than before."""

        answer: t.MemoryDetail = self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/release", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    def revert_memory(
        self,
        memory_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MemoryReasonBody],
    ) -> t.MemoryDetail:
        """Take a note back at once, and return the runs that were shown it, and what those have noted since."""

        answer: t.MemoryDetail = self._answer(Call("POST", Call.path("/api/v1/memories/{memory_id}/revert", memory_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_installation_preflight(
        self,
    ) -> t.InstallationPreflight:
        """Check settings, database role and all published versions; for superusers, others get 403."""

        answer: t.InstallationPreflight = self._answer(Call("GET", "/api/v1/preflight"))
        return answer

    def list_proposals(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "activated", "rejected", "withdrawn", "expired", "outdated"] | None = None,
        team: str | None = None,
        verb: str | None = None,
    ) -> t.ProposalPage:
        """List proposals of changes, newest first."""

        answer: t.ProposalPage = self._answer(Call("GET", "/api/v1/proposals", query={"cursor": cursor, "limit": limit, "state": state, "team": team, "verb": verb}))
        return answer

    def propose_change(
        self,
        body: t.ProposalBody,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Proposed:
        """Propose a change, for somebody else to activate. The same again is the same proposal.

        Who may not do it together with a second person may not propose it either: 403. Answers 409 when all is
        so already.
        """

        answer: t.Proposed = self._answer(Call("POST", "/api/v1/proposals", key=idempotency_key or new_key(), body=body))
        return answer

    def get_proposal(
        self,
        proposal_id: str,
        /,
    ) -> t.ProposalDetail:
        """Return a proposal with its differences, and whether you may decide about it."""

        answer: t.ProposalDetail = self._answer(Call("GET", Call.path("/api/v1/proposals/{proposal_id}", proposal_id)))
        return answer

    def activate_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Proposed:
        """Put a change into force, as the second person, with a fresh second factor. With an API key, open the window with `stepUp` first. 409 when it is decided, expired, or no longer what would be done."""

        answer: t.Proposed = self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/activate", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    def reject_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RejectionBody],
    ) -> t.Proposed:
        """Refuse a change, as the second person, with a fresh second factor. 409 when it is decided or expired."""

        answer: t.Proposed = self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/reject", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    def roll_back_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.WhyBody],
    ) -> t.RolledBack:
        """Bring back what was before an activated change. To tighten again is done at once, to loosen again is proposed."""

        answer: t.RolledBack = self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/roll-back", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    def withdraw_proposal(
        self,
        proposal_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Proposed:
        """Take back what you proposed. 409 when it is decided or expired."""

        answer: t.Proposed = self._answer(Call("POST", Call.path("/api/v1/proposals/{proposal_id}/withdraw", proposal_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_review_capacity(
        self,
    ) -> t.ReviewLoad:
        """Return how the reviewers of your teams are loaded, the fullest first; teams without a bound are absent."""

        answer: t.ReviewLoad = self._answer(Call("GET", "/api/v1/review-capacity"))
        return answer

    def list_runs(
        self,
        *,
        agent: str | None = None,
        cursor: str | None = None,
        held: bool | None = None,
        limit: int | None = None,
        since: str | None = None,
        state: Literal["queued", "in_progress", "requires_action", "paused", "cancelling", "completed", "halted", "failed", "cancelled", "expired"] | None = None,
    ) -> t.RunPage:
        """List runs, newest first."""

        answer: t.RunPage = self._answer(Call("GET", "/api/v1/runs", query={"agent": agent, "cursor": cursor, "held": held, "limit": limit, "since": since, "state": state}))
        return answer

    def start_run(
        self,
        *,
        traceparent: str | None = None,
        tracestate: str | None = None,
        idempotency_key: str | None = None,
        **body: Unpack[t.StartRunBody],
    ) -> t.Run:
        """Give an agent a task.

        Answers 403 `principal_not_proven` when the caller may not say for whom the run acts.
        403 `application_only` or `staff_only`: the agent is started by the others.
        422 `unknown_task`: the agent's version does not declare it.
        409 `parent_ended`: nothing is done any more on behalf of that run.
        """

        answer: t.Run = self._answer(Call("POST", "/api/v1/runs", headers={"traceparent": traceparent, "tracestate": tracestate}, key=idempotency_key or new_key(), body=body))
        return answer

    def get_run(
        self,
        run_id: str,
        /,
    ) -> t.RunDetail:
        """Return a run, with its answer once it has ended."""

        answer: t.RunDetail = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}", run_id)))
        return answer

    def settle_outcome(
        self,
        call: int,
        run_id: str,
        step: int,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.OutcomeBody],
    ) -> t.Run:
        """Say whether a call with an unknown outcome took place, so that the run can go on."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/calls/{step}/{call}/outcome", run_id, step, call), key=idempotency_key or new_key(), body=body))
        return answer

    def veto_call(
        self,
        call: int,
        run_id: str,
        step: int,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.VetoBody],
    ) -> t.Run:
        """Keep a call that is held (`held_until`) from going out; the agent is told why. 409 when it is not held any more."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/calls/{step}/{call}/veto", run_id, step, call), key=idempotency_key or new_key(), body=body))
        return answer

    def cancel_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Stop the run as soon as no effect is under way. 409 when it has ended already."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/cancel", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_children(
        self,
        run_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.RunPage:
        """List the children of a run that you may see, newest first: those to whom its calls gave tasks (`given_by`),
        and those that an application started on its behalf.
        """

        answer: t.RunPage = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/children", run_id), query={"cursor": cursor, "limit": limit}))
        return answer

    def list_events(
        self,
        run_id: str,
        /,
        *,
        after: int | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.EventPage:
        """List the events of a run, oldest first; with `Accept: text/event-stream`, follow them live.

        A stream goes on behind `Last-Event-ID`, or behind `after`, sends a comment every 15 seconds and ends
        with the event that ends the run.
        """

        answer: t.EventPage = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/events", run_id), query={"after": after, "cursor": cursor, "limit": limit}))
        return answer

    def decide_example(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ExampleBody],
    ) -> t.Example:
        """Approve or reject steps of a run that has ended as an example to learn from; said anew, it counts.

        It takes a right of its own. 409 `run_not_ended`, `erased`, `not_an_example`; 422 `unknown_step`.
        """

        answer: t.Example = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/example", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def compare_fork(
        self,
        run_id: str,
        /,
    ) -> t.ForkReport:
        """Show a fork beside the run that it was forked from. 404 `unknown_fork` for a run that is none."""

        answer: t.ForkReport = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/fork", run_id)))
        return answer

    def fork_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ForkBody],
    ) -> t.Run:
        """Start a fork of a run that has ended: a run that recalls the steps before, and makes no calls.

        From the step on the model is asked, within a budget of its own. A call is answered as it was then, where it
        was made with the same arguments; otherwise it is not made, and says what policy would have. Only people may.
        409 `not_forkable`, `run_not_ended`, `erased`, `not_recorded`, `agent_not_active`.
        """

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/fork", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def answer_input(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.InputBody],
    ) -> t.Run:
        """Answer the question that the agent asked the user."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/input", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def kill_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Halt the run at once, as an operator: no further call, the reason on record."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/kill", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def add_message(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.MessageBody],
    ) -> t.Run:
        """Give the run a further message of the user; the agent reads it next."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/messages", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def pause_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Hold the run before its next step or call."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/pause", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def replay_run(
        self,
        run_id: str,
        /,
    ) -> t.Replay:
        """Decide again everything that was decided in a run, and list what would differ, the first first.

        No model, tool or person is asked, nothing is charged, and nothing is written. 409 `too_long`.
        """

        answer: t.Replay = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/replay", run_id)))
        return answer

    def resume_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Run:
        """Let a paused run go on."""

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/resume", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_steps(
        self,
        run_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.StepPage:
        """List the steps of a run, oldest first, with their calls, usage and cost."""

        answer: t.StepPage = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/steps", run_id), query={"cursor": cursor, "limit": limit}))
        return answer

    def get_trace(
        self,
        run_id: str,
        /,
        *,
        contents: bool | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.Trace:
        """Return what the run decided, what it executed and where it broke, oldest first, and what it cost.

        The items come in pages; `totals` is of the whole run on each of them.
        """

        answer: t.Trace = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/trace", run_id), query={"contents": contents, "cursor": cursor, "limit": limit}))
        return answer

    def foresee_undo(
        self,
        run_id: str,
        /,
    ) -> t.ForeseenUndo:
        """Say of each effect of a run whether it can be undone, by what, and what the policy would say now.

        Nothing is changed, and nothing is promised: each call is assessed again when it is made.
        """

        answer: t.ForeseenUndo = self._answer(Call("GET", Call.path("/api/v1/runs/{run_id}/undo", run_id)))
        return answer

    def undo_run(
        self,
        run_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.UndoBody],
    ) -> t.Run:
        """Start a run that undoes what this one has done, the latest effect first; follow it like any other.

        Only people may. 409 `run_not_ended`, `undo_under_way`, `nothing_to_undo`.
        """

        answer: t.Run = self._answer(Call("POST", Call.path("/api/v1/runs/{run_id}/undo", run_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_schedules(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "paused", "ended"] | None = None,
    ) -> t.SchedulePage:
        """List schedules, newest first: those of a person's teams, or an application's own."""

        answer: t.SchedulePage = self._answer(Call("GET", "/api/v1/schedules", query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def create_schedule(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ScheduleBody],
    ) -> t.Schedule:
        """Have an agent given a task by the clock.

        Each time it is as if the caller started it then: with the right, the key and the agent's version of then. What
        is refused a few times in a row rests, and says why. 409 `name_taken`.
        """

        answer: t.Schedule = self._answer(Call("POST", "/api/v1/schedules", key=idempotency_key or new_key(), body=body))
        return answer

    def get_schedule(
        self,
        schedule_id: str,
        /,
    ) -> t.Schedule:
        """Return a schedule: when it is due next, its last run, and why it rests."""

        answer: t.Schedule = self._answer(Call("GET", Call.path("/api/v1/schedules/{schedule_id}", schedule_id)))
        return answer

    def change_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.TaskBody],
    ) -> t.Schedule:
        """Say anew what is done, and when: all of it. Only its owner may."""

        answer: t.Schedule = self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/change", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    def end_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Schedule:
        """End it for good; what has begun goes on."""

        answer: t.Schedule = self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/end", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    def pause_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ControlBody],
    ) -> t.Schedule:
        """Let nothing begin by it until its owner resumes it."""

        answer: t.Schedule = self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/pause", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    def resume_schedule(
        self,
        schedule_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.EmptyBody],
    ) -> t.Schedule:
        """Go on with its next time, with the key of this request. Only its owner may."""

        answer: t.Schedule = self._answer(Call("POST", Call.path("/api/v1/schedules/{schedule_id}/resume", schedule_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_second_looks(
        self,
        *,
        cursor: str | None = None,
        is_yours: bool | None = None,
        limit: int | None = None,
        state: Literal["open", "taken"] | None = None,
    ) -> t.SecondLookPage:
        """List second looks, of the newest requests first."""

        answer: t.SecondLookPage = self._answer(Call("GET", "/api/v1/second-looks", query={"cursor": cursor, "is_yours": is_yours, "limit": limit, "state": state}))
        return answer

    def take_second_look(
        self,
        approval_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.SecondLookBody],
    ) -> t.SecondLook:
        """Say whether you would have approved it, too; it changes nothing about the call, and is kept for good.

        For people who may approve such calls and have no part in this one, neither by deciding nor otherwise. What is
        looked at before its effect is decided as every approval is (`decideApproval`).
        """

        answer: t.SecondLook = self._answer(Call("POST", Call.path("/api/v1/second-looks/{approval_id}", approval_id), key=idempotency_key or new_key(), body=body))
        return answer

    def step_up(
        self,
        **body: Unpack[t.StepUpBody],
    ) -> t.StepUp:
        """Open a window of at most 60 seconds in which this key may decide about approvals.

        Give a code, or what a security key answered to `beginKeyProof`.
        """

        answer: t.StepUp = self._answer(Call("POST", "/api/v1/step-up", body=body))
        return answer

    def begin_key_proof(
        self,
        **body: Unpack[t.KeyProofBody],
    ) -> t.KeyProof:
        """Return what the caller's security key is to sign, within two minutes; `stepUp` takes the answer, once.

        Keys answer for the one address that they were added at, in production `PUBLIC_URL`.
        """

        answer: t.KeyProof = self._answer(Call("POST", "/api/v1/step-up/key", body=body))
        return answer

    def make_stop(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.StopBody],
    ) -> t.Stop:
        """Stop a run, an agent, a tool, an application, an end user, a key, a model provider, or everything."""

        answer: t.Stop = self._answer(Call("POST", "/api/v1/stops", key=idempotency_key or new_key(), body=body))
        return answer

    def get_stop(
        self,
        stop_id: str,
        /,
    ) -> t.Stop:
        """Show what a stop met, and what has become of it since."""

        answer: t.Stop = self._answer(Call("GET", Call.path("/api/v1/stops/{stop_id}", stop_id)))
        return answer

    def list_switches(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        thrown: bool | None = None,
    ) -> t.SwitchPage:
        """List kill switches, newest first. For people only."""

        answer: t.SwitchPage = self._answer(Call("GET", "/api/v1/switches", query={"cursor": cursor, "limit": limit, "thrown": thrown}))
        return answer

    def lift_switch(
        self,
        switch_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.Switch:
        """Let new work begin again; runs that were halted stay so. Takes a fresh second factor.

        409 `switch_lifted`, and `key_revoked` for that of a key.
        """

        answer: t.Switch = self._answer(Call("POST", Call.path("/api/v1/switches/{switch_id}/lift", switch_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_tables(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        slug: str | None = None,
    ) -> t.TablePage:
        """List decision tables, newest first."""

        answer: t.TablePage = self._answer(Call("GET", "/api/v1/tables", query={"cursor": cursor, "limit": limit, "slug": slug}))
        return answer

    def create_table(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateTableBody],
    ) -> t.TableDetail:
        """Name a decision that a team makes by rules; it decides nothing until a version is published."""

        answer: t.TableDetail = self._answer(Call("POST", "/api/v1/tables", key=idempotency_key or new_key(), body=body))
        return answer

    def get_table(
        self,
        table_id: str,
        /,
    ) -> t.TableDetail:
        """Return a table, with the number of the version that decides now."""

        answer: t.TableDetail = self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}", table_id)))
        return answer

    def foresee_decision(
        self,
        table_id: str,
        /,
        **body: Unpack[t.DecideBody],
    ) -> t.MadeDecision:
        """Decide about inputs by a version, or by the one in force, now or at a time; nothing is kept.

        `outputs` is null where no rule covers the inputs. 409 `no_decision` when no version is in force; 422
        `invalid_inputs` names every input that is wrong.
        """

        answer: t.MadeDecision = self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/decide", table_id), body=body))
        return answer

    def import_table(
        self,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ImportBody],
    ) -> t.TableVersionDetail:
        """Make a draft of a DMN document, 1.3 to 1.5; the test cases of the draft before it stay."""

        answer: t.TableVersionDetail = self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/import", table_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_table_versions(
        self,
        table_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.TableVersionPage:
        """List the versions of a table, the first one first."""

        answer: t.TableVersionPage = self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions", table_id), query={"cursor": cursor, "limit": limit}))
        return answer

    def save_table_draft(
        self,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.DraftBody],
    ) -> t.TableVersionDetail:
        """Keep a draft: the table's one draft, changed, or its next version.

        It may be wrong: `problems`, `doubts` and `cases` say what keeps it from being published. 409 `draft_changed`
        when somebody has changed the draft that `seen` names.
        """

        answer: t.TableVersionDetail = self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions", table_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_table_version(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.TableVersionDetail:
        """Return a version with its rules and test cases, and what is to be said of them."""

        answer: t.TableVersionDetail = self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}", table_id, number)))
        return answer

    def export_table(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.Document:
        """Return a version as a DMN 1.5 document."""

        answer: t.Document = self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}/dmn", table_id, number)))
        return answer

    def foresee_table(
        self,
        number: int,
        table_id: str,
        /,
    ) -> t.TableForesight:
        """Decide the recorded calls of the last 30 days again by a version, a draft as a rule. For people only.

        422 for a draft that is no table yet.
        """

        answer: t.TableForesight = self._answer(Call("GET", Call.path("/api/v1/tables/{table_id}/versions/{number}/last-month", table_id, number)))
        return answer

    def publish_table(
        self,
        number: int,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.PublishBody],
    ) -> t.TableVersion:
        """Let a draft decide from its effective date on, after its test cases have come out as expected.

        Where this takes two people it is answered with 409 `second_person_needed`: propose
        `decision_table.publish` then. 422 `gaps_or_overlaps` asks for an acknowledgement.
        """

        answer: t.TableVersion = self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions/{number}/publish", table_id, number), key=idempotency_key or new_key(), body=body))
        return answer

    def retire_table(
        self,
        number: int,
        table_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.RetireBody],
    ) -> t.TableVersion:
        """Take a published version out of use; earlier ones do not come back."""

        answer: t.TableVersion = self._answer(Call("POST", Call.path("/api/v1/tables/{table_id}/versions/{number}/retire", table_id, number), key=idempotency_key or new_key(), body=body))
        return answer

    def list_tool_servers(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["active", "retired"] | None = None,
        transport: Literal["http", "stdio", "openapi", "python"] | None = None,
    ) -> t.ToolServerPage:
        """List servers of tools, newest first."""

        answer: t.ToolServerPage = self._answer(Call("GET", "/api/v1/tool-servers", query={"cursor": cursor, "limit": limit, "state": state, "transport": transport}))
        return answer

    def create_tool_server(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.CreateToolServerBody],
    ) -> t.ToolServer:
        """Name a server of tools; nothing of it is taken over yet. Takes a fresh second factor."""

        answer: t.ToolServer = self._answer(Call("POST", "/api/v1/tool-servers", key=idempotency_key or new_key(), body=body))
        return answer

    def get_tool_server(
        self,
        server_id: str,
        /,
    ) -> t.ToolServer:
        """Return a server of tools."""

        answer: t.ToolServer = self._answer(Call("GET", Call.path("/api/v1/tool-servers/{server_id}", server_id)))
        return answer

    def refresh_tool_server(
        self,
        server_id: str,
        /,
        **body: Unpack[t.RefreshBody],
    ) -> t.ToolServer:
        """Ask a server which tools it has, or read them out of the document that you bring.

        Tools that are described differently from what was accepted are quarantined. `trouble` says why nothing was
        learnt. Takes a fresh second factor; asked again, it does no more than ask again.
        """

        answer: t.ToolServer = self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/refresh", server_id), body=body))
        return answer

    def retire_tool_server(
        self,
        server_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ReasonBody],
    ) -> t.ToolServer:
        """Take a server out of use for good, and all of its tools with it; takes a fresh second factor."""

        answer: t.ToolServer = self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/retire", server_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_server_tools(
        self,
        server_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.ServerToolPage:
        """List the tools of a server as it was last asked, with what can and cannot be taken over."""

        answer: t.ServerToolPage = self._answer(Call("GET", Call.path("/api/v1/tool-servers/{server_id}/tools", server_id), query={"cursor": cursor, "limit": limit}))
        return answer

    def import_tool(
        self,
        server_id: str,
        server_tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.ImportToolBody],
    ) -> t.Tool | t.Proposal:
        """Make a tool, or its next version, of what a server describes; that accepts a changed description.

        Where it takes a second person it is proposed instead (202); once that is activated, take the same over again.
        Answers 409 when the server describes it otherwise than the digest says. Takes a fresh second factor.
        """

        answer: t.Tool | t.Proposal = self._answer(Call("POST", Call.path("/api/v1/tool-servers/{server_id}/tools/{server_tool_id}/import", server_id, server_tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    def list_tools(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        name: str | None = None,
        state: Literal["active", "quarantined", "retired"] | None = None,
    ) -> t.ToolPage:
        """List tools, newest first."""

        answer: t.ToolPage = self._answer(Call("GET", "/api/v1/tools", query={"cursor": cursor, "limit": limit, "name": name, "state": state}))
        return answer

    def get_tool(
        self,
        tool_id: str,
        /,
    ) -> t.Tool:
        """Return a tool."""

        answer: t.Tool = self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}", tool_id)))
        return answer

    def accept_tool(
        self,
        tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.AcceptToolBody],
    ) -> t.Tool:
        """Put a tool back into service that was stopped; a description that has changed is accepted by `importTool`."""

        answer: t.Tool = self._answer(Call("POST", Call.path("/api/v1/tools/{tool_id}/accept", tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_breaker(
        self,
        tool_id: str,
        /,
    ) -> t.BreakerHistory:
        """Return the breaker of a tool with its last 30 days. For people only."""

        answer: t.BreakerHistory = self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}/breaker", tool_id)))
        return answer

    def operate_breaker(
        self,
        tool_id: str,
        /,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.BreakerBody],
    ) -> t.BreakerHistory:
        """Force the breaker open, lift that again, or reset the automatic one. Lifting takes a fresh second factor.

        409 `breaker_forced_open` and `breaker_not_forced` where it stands so already.
        """

        answer: t.BreakerHistory = self._answer(Call("POST", Call.path("/api/v1/tools/{tool_id}/breaker", tool_id), key=idempotency_key or new_key(), body=body))
        return answer

    def get_tool_metrics(
        self,
        tool_id: str,
        /,
    ) -> t.ToolMetrics:
        """Return counts by outcome, reasons, and latencies by version. For people only: it is of all runs."""

        answer: t.ToolMetrics = self._answer(Call("GET", Call.path("/api/v1/tools/{tool_id}/metrics", tool_id)))
        return answer

    def list_webhooks(
        self,
        *,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> t.WebhookPage:
        """List webhooks, newest first."""

        answer: t.WebhookPage = self._answer(Call("GET", "/api/v1/webhooks", query={"cursor": cursor, "limit": limit}))
        return answer

    def create_webhook(
        self,
        *,
        idempotency_key: str | None = None,
        **body: Unpack[t.WebhookBody],
    ) -> t.WebhookWithSecret:
        """Have a team or an application told there, as a person with the right to and a fresh second factor."""

        answer: t.WebhookWithSecret = self._answer(Call("POST", "/api/v1/webhooks", key=idempotency_key or new_key(), body=body))
        return answer

    def get_webhook(
        self,
        webhook_id: str,
        /,
    ) -> t.Webhook:
        """Return a webhook."""

        answer: t.Webhook = self._answer(Call("GET", Call.path("/api/v1/webhooks/{webhook_id}", webhook_id)))
        return answer

    def list_webhook_deliveries(
        self,
        webhook_id: str,
        /,
        *,
        cursor: str | None = None,
        limit: int | None = None,
        state: Literal["waiting", "sent", "dead", "dropped"] | None = None,
    ) -> t.DeliveryPage:
        """List the messages to a webhook, newest first; `dead` are those that were given up."""

        answer: t.DeliveryPage = self._answer(Call("GET", Call.path("/api/v1/webhooks/{webhook_id}/deliveries", webhook_id), query={"cursor": cursor, "limit": limit, "state": state}))
        return answer

    def send_webhook_again(
        self,
        delivery_id: str,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Delivery:
        """Send a message again that was given up, under the id that it had."""

        answer: t.Delivery = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/send-again", webhook_id, delivery_id), key=idempotency_key or new_key()))
        return answer

    def disable_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Stop a webhook; what waits for it is given up."""

        answer: t.Webhook = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/disable", webhook_id), key=idempotency_key or new_key()))
        return answer

    def enable_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Tell a stopped webhook again, of what comes from now on."""

        answer: t.Webhook = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/enable", webhook_id), key=idempotency_key or new_key()))
        return answer

    def remove_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Webhook:
        """Remove a webhook for good, its address and secret with it."""

        answer: t.Webhook = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/remove", webhook_id), key=idempotency_key or new_key()))
        return answer

    def rotate_webhook_secret(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.WebhookWithSecret:
        """Give a webhook another secret; for a day the former one signs, too."""

        answer: t.WebhookWithSecret = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/rotate", webhook_id), key=idempotency_key or new_key()))
        return answer

    def try_webhook(
        self,
        webhook_id: str,
        /,
        *,
        idempotency_key: str | None = None,
    ) -> t.Delivery:
        """Send a test message. An application may try its own webhooks."""

        answer: t.Delivery = self._answer(Call("POST", Call.path("/api/v1/webhooks/{webhook_id}/test", webhook_id), key=idempotency_key or new_key()))
        return answer
