"""Roles: who may do what, verb by verb, and that nobody makes something else of a role."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, transaction
from guardian.shortcuts import assign_perm

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.policies import may_decide
from identities.models import User
from identities.roles import ROLES
from identities.services import set_group_permissions, set_members, update_person
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory, PersonFactory
from tests.verbs import DEEDS, verbs

pytestmark = [pytest.mark.console, pytest.mark.slow]

# What each role may do in its own team. A verb that stands in no line is for superusers, and stands below.
MAY: dict[str, set[str]] = {
    "auditor": set(),
    "approver": {
        "settle_outcome", "veto_call", "grant_extension", "refuse_extension",
        "claim_handover", "release_handover", "answer_handover", "close_handover", "release_memory",
    },
    "tool owner": {
        "create_tool", "add_version", "quarantine_tool", "accept_tool", "retire_tool", "stop",
        "force_breaker_open", "lift_forced_breaker", "reset_breaker", "add_approver", "remove_approver",
        "create_secret", "replace_secret", "retire_secret",
        "create_server", "refresh_server", "import_tool", "retire_server", "override_lint",
        "create_table", "save_table", "import_table", "publish_table", "retire_table",
    },
    "identity admin": {
        "create_agent", "update_agent", "activate_agent", "suspend_agent", "revoke_agent",
        "create_application", "update_application", "declare_resource", "revoke_application",
        "allow_start", "forbid_start", "issue_api_key", "revoke_api_key",
        "issue_credential", "rotate_credential", "revoke_credential", "revoke_delegation",
        "add_issuer", "disable_issuer", "set_grant", "revoke_grant", "sign_waiver",
        "stop_api_key", "set_user_terms", "end_user_terms", "open_campaign", "decide_item", "recertify_agent",
        "draft_version", "publish_version", "retire_version", "set_budget", "update_team", "set_approval_rule",
        "set_review_capacity",
        "set_denial_reasons",
        "set_sampling_rule", "set_oversight_rule",
        "declare_absence", "end_absence",
        "create_channel", "rotate_channel", "enable_channel", "disable_channel", "remove_channel", "try_channel",
        "send_again",
        "save_set", "drop_set", "drop_case", "make_case",
        "propose", "activate", "reject", "roll_back",  # what they may do themselves: here, a budget
    },
    "operator": {
        "activate_agent", "suspend_agent", "revoke_agent", "revoke_delegation", "recertify_agent",
        "throw_switch", "lift_switch", "stop", "quarantine_tool",
        "force_breaker_open", "lift_forced_breaker", "reset_breaker",
        "pause_run", "resume_run", "cancel_run", "kill_run", "add_message", "answer_input", "settle_outcome",
        "veto_call", "claim_handover", "release_handover", "answer_handover", "close_handover",
        "pause_schedule", "end_schedule", "redrive_letter", "discard_letter",
        "revert_memory", "delete_memory",
    },
}  # fmt: skip
SUPERUSERS = {
    "create_person", "update_person", "set_password", "unlink_account", "create_group", "set_group_permissions",
    "create_team", "set_members", "rotate_signing_key", "revoke_signing_key", "set_price", "set_rule",
    "reset_model_breaker",
}  # fmt: skip
# Given beside a role: to start runs agent by agent, to erase by who answers for the data, to let words out likewise.
# One withdraws one's own only.
BESIDE = {"start_run", "erase_run", "erase_principal", "withdraw"}
BESIDE |= {"evaluate", "stop_evaluation"}  # which starts runs
BESIDE |= {"decide_example", "export_examples"}
BESIDE |= {"create_schedule", "change_schedule", "resume_schedule"}  # in one's own name


def with_role(cast: Cast, role: str, name: str = "rosa") -> User:
    """Return a member of the team with a role."""
    person = PersonFactory.create(username=name)
    person.groups.add(Group.objects.get(name=role))
    cast.team.members.add(person)
    return User.objects.get(pk=person.pk)


def what_is_done(cast: Cast, person: User) -> set[str]:
    """Return the verbs that a person is let do, each tried and taken back."""
    done = set()
    for verb, deed in DEEDS.items():
        with transaction.atomic():
            try:
                deed(cast, User.objects.get(pk=person.pk))
            except (PolicyDenied, NotFound):
                pass
            except AgentOpsError:
                done.add(verb)  # refused for the state of things, not for who asked
            else:
                done.add(verb)
            transaction.set_rollback(True)
    return done


def test_every_verb_and_every_role_has_a_line() -> None:
    assert set(MAY) == set(ROLES)
    assert set().union(*MAY.values()) | SUPERUSERS | BESIDE == verbs()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_just_this(cast: Cast, role: str) -> None:
    assert what_is_done(cast, with_role(cast, role)) == MAY[role]


def test_a_role_counts_in_ones_own_teams_only(cast: Cast) -> None:
    person = with_role(cast, "identity admin")
    set_members(actor=cast.ada, team=cast.team, members=[cast.alice])
    set_members(actor=cast.ada, team=cast.other_team, members=[person])
    assert what_is_done(cast, person) == set()


def test_permissions_are_those_of_the_code(cast: Cast) -> None:
    for role, permissions in ROLES.items():
        given = Permission.objects.filter(group__name=role).values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in given} == permissions


@pytest.mark.parametrize("role", ROLES)
def test_nobody_makes_something_else_of_a_role(cast: Cast, role: str) -> None:
    group = Group.objects.get(name=role)
    more = Permission.objects.get(codename="erase_content")
    with pytest.raises(StateConflict, match="fixed_role"):
        set_group_permissions(actor=cast.ada, group=group, permissions=["ledger.erase_content"])
    for change in (
        lambda: group.permissions.add(more),
        lambda: Group.objects.filter(pk=group.pk).update(name="something else"),
        lambda: Group.objects.filter(pk=group.pk).delete(),
        lambda: Group.permissions.through.objects.filter(group__name="operator").update(permission=more),
    ):
        with pytest.raises(DatabaseError, match="a role is fixed"), transaction.atomic():
            change()


def test_an_auditor_is_nothing_else(cast: Cast) -> None:
    auditor, operator = (Group.objects.filter(name=name) for name in ("auditor", "operator"))
    both = auditor | operator
    for groups, superuser in ((both, False), (auditor, True)):
        with pytest.raises(ValidationFailed, match="auditor_only"):
            update_person(
                actor=cast.ada, person=cast.bob, active=True, staff=True, superuser=superuser, groups=groups
            )


def test_an_auditor_decides_about_nothing(cast: Cast) -> None:
    asked = ApprovalRequestFactory.create(identity=cast.agent)
    person = with_role(cast, "auditor")
    assign_perm("approve_calls", person, asked.tool)
    assert may_decide(person, asked, second_factor=True).code == "is_an_auditor"


def test_the_console_shows_what_a_role_may_do_and_whom_the_viewer_knows(cast: Cast) -> None:
    with_role(cast, "operator")
    stranger = PersonFactory.create(username="stranger")
    group = Group.objects.get(name="operator")
    stranger.groups.add(group)
    page = text_of(sign_in(cast.bob).get(page_of("auth_group", "change", group.pk)))
    assert "runs.control_run" in page
    assert "rosa" in page
    assert "stranger" not in page
