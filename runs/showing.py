"""A step as a version lets a model see it: the only way from entries to what a model is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agentops.engine.state import Mark
from runs.redaction import redact_step
from runs.shown_digests import digest_messages
from runs.versions import VersionSpec
from runs.window import Block, Written, arrange


def show_step(marks: Sequence[Mark], contents: Mapping[int, Written], version: VersionSpec) -> Block:
    """Return the messages of a step, without what the version has redacted."""
    entries, count = {mark.seq: contents[mark.seq] for mark in marks}, 0
    if version.redact:
        entries, count = redact_step(entries, version.redact, version.catalogue)
    block = arrange(marks, entries)
    return replace(block, redacted=count, digest=digest_messages(block.messages))
