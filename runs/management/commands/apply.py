"""``manage.py apply FILE``: make everything as a provisioning document says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.errors import AgentOpsError
from agentops.strict_yaml import SIZE_LIMIT_BYTES
from identities.models import User
from identities.services import confirm_person
from runs.management.actors import find_actor
from runs.preflight import Finding
from runs.provisioning import Plan, apply_document


class Command(BaseCommand):
    help = "Create or update identities, tools, grants, agent versions and budgets from one YAML document."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command line."""
        parser.add_argument("file", metavar="FILE", help="the document; - reads standard input")
        parser.add_argument("--dry-run", action="store_true", help="show what would change, change nothing")
        parser.add_argument("--as", dest="username", metavar="USERNAME", help="act as this person")
        parser.add_argument(
            "--with", dest="second", metavar="USERNAME", help="who activates what takes a second person"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before changing anything")

    def handle(
        self,
        *_: Any,
        file: str,
        username: str | None,
        second: str | None,
        dry_run: bool,
        yes: bool,
        **__: Any,
    ) -> None:
        """Show the plan, ask, apply."""
        text, actor = read_document(file), find_actor(username)
        other = None if second is None else find_actor(second)
        try:
            plan = apply_document(actor=actor, text=text, second=other, dry_run=True)
            self.stdout.write(str(plan))
            if dry_run or not wants_more(plan):
                return
            if not yes:
                self._ask(file)
            if other is not None:
                confirm_second(actor, other)
            apply_document(actor=actor, text=text, second=other, expected=plan)
        except AgentOpsError as error:
            raise CommandError(describe(error)) from error
        self.stdout.write(f"{describe_outcome(plan)} as {actor.username}")

    def _ask(self, file: str) -> None:
        if file == "-" or not sys.stdin.isatty():
            raise CommandError("nobody can be asked here: add --yes to apply this, or --dry-run to look only")
        if input("Apply these changes? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was changed")


def wants_more(plan: Plan) -> bool:
    """Return whether applying the plan would write anything; a signature or a proposal is only a note in it."""
    return not plan.is_empty or bool(plan.waiting) or any("signed by" in note for note in plan.notes)


def describe_outcome(plan: Plan) -> str:
    """Return what was done, in a word."""
    if not plan.is_empty:
        return "applied"
    return "proposed" if plan.waiting else "signed"


def confirm_second(actor: User, second: User) -> None:
    """Have the second person confirm with their own authenticator. Raises CommandError, PolicyDenied."""
    if second == actor:
        raise CommandError("the second person is somebody else")
    if not sys.stdin.isatty():
        raise CommandError(
            f"nobody can be asked here for {second.username}'s code: leave --with out to propose"
        )
    confirm_person(person=second, otp=input(f"{second.username}, the code of your authenticator: ").strip())


def read_document(file: str) -> str:
    """Return the document's text; raises CommandError for a file that cannot be read."""
    try:
        if file == "-":
            return sys.stdin.read(SIZE_LIMIT_BYTES + 1)
        with Path(file).open(encoding="utf-8") as opened:
            return opened.read(SIZE_LIMIT_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error  # the error itself would name the file again
        raise CommandError(f"cannot read {file}: {why}") from error


def describe(error: AgentOpsError) -> str:
    """Return an error in lines, preflight findings with their remedies."""
    problems = getattr(error, "problems", ())
    findings = [f"  - {problem}" for problem in problems if isinstance(problem, Finding)]
    if findings:
        place, _, _ = error.detail.partition(": ")
        return "\n".join([f"{place}: preflight found", *findings, "nothing was changed"])
    return f"{error.detail or error.code}\nnothing was changed"
