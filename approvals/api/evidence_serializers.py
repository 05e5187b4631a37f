"""What people are shown who decide about a call, as clients read it. More may come: what is not named here is open."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentops.console.sources import WORDS

Document = dict[str, Any]  # Any: JSON
SOURCES = [(source, words) for source, words in WORDS.items()]


class ShownPrincipalSerializer(serializers.Serializer[Document]):
    issuer = serializers.CharField()
    subject = serializers.CharField()


class ShownReasonSerializer(serializers.Serializer[Document]):
    """Why the call needs people: which part of the policy said so, and what."""

    source = serializers.CharField()  # type: ignore[assignment]  # a field called so, as in the trace
    code = serializers.CharField()
    detail = serializers.CharField(allow_blank=True)


class SeenAnswerSerializer(serializers.Serializer[Document]):
    """A tool's answer that the model had seen, and that bears on the call."""

    step = serializers.IntegerField()
    call = serializers.IntegerField()
    tool = serializers.CharField(allow_blank=True)
    excerpt = serializers.CharField(help_text="How the answer begins, as JSON text.")
    sources = serializers.ListField(
        child=serializers.ChoiceField(SOURCES), required=False, help_text="Whose it is, the worst first."
    )
    marks = serializers.JSONField(
        required=False,
        help_text="Whose each of its values is, in the shape of the answer; where they differ.",
    )


class EvidenceSerializer(serializers.Serializer[Document]):
    """What a person is shown who decides. Only requests of this version's runs have all of it."""

    agent = serializers.CharField(required=False, help_text="The agent's name.")
    statement = serializers.CharField(required=False, help_text="What it wants to do, in plain words.")
    arguments = serializers.DictField(
        child=serializers.JSONField(), required=False, help_text="Exactly what the tool is called with."
    )
    marks = serializers.JSONField(
        required=False,
        help_text="Where each argument comes from, in the shape of `arguments`: `nowhere`, `untrusted`, `trusted`, "
        "`user`, or null for one that was not traced.",
    )
    resolutions = serializers.ListField(
        child=serializers.DictField(child=serializers.JSONField()),
        required=False,
        help_text="What the user's words were looked up to be: `argument`, `said`, `tool`, `how` and more.",
    )
    preview = serializers.DictField(
        child=serializers.JSONField(), required=False, help_text="What the call changes, as its tool says."
    )
    principal = ShownPrincipalSerializer(required=False, help_text="On whose behalf.")
    request = serializers.CharField(required=False, allow_blank=True, help_text="The user's words.")
    why = serializers.CharField(required=False, allow_blank=True, help_text="The model's words.")
    said = serializers.CharField(required=False, allow_blank=True, help_text="What it said beside the call.")
    evidence = SeenAnswerSerializer(many=True, required=False)
    evidence_left_out = serializers.IntegerField(required=False, help_text="How many answers are not shown.")
    reasons = ShownReasonSerializer(many=True, required=False)
    step = serializers.IntegerField(required=False)
    call = serializers.IntegerField(required=False)
