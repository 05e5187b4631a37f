"""Provisioning as a file: one declarative document creates or updates what governs agents."""

from runs.provisioning.document import apply_document
from runs.provisioning.plan import Change, Plan

__all__ = ["Change", "Plan", "apply_document"]
