"""Answers that are no JSON: what a value says of a picture, and that nothing of it gets anywhere else."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import mcp_types as types
import pytest

from tools.adapters.mcp import contents
from tools.adapters.mcp.contents import read_blocks, read_messages
from tools.provenance.labels import label_leaves

DATA = b"\x89PNG and so on"
DIGEST = hashlib.sha256(DATA).hexdigest()
TEXT = b64encode(DATA).decode()


def image(data: str = TEXT, kind: str = "image/png", **more: Any) -> types.ImageContent:
    return types.ImageContent(data=data, mime_type=kind, **more)


def blob(uri: str = "demo://a", **more: Any) -> types.EmbeddedResource:
    return types.EmbeddedResource(resource=types.BlobResourceContents(uri=uri, blob=TEXT, **more))


def test_a_part_is_told_by_its_digest_and_kept_beside_the_value() -> None:
    sound = types.AudioContent(data=TEXT, mime_type="Audio/WAV; rate=8000")
    blocks, parts = read_blocks([types.TextContent(text="Look:"), image(), sound, blob()])
    told = {"bytes": len(DATA), "sha256": DIGEST}
    assert blocks == [
        {"type": "text", "text": "Look:"},
        {"type": "image", "mimeType": "image/png", **told},
        {"type": "audio", "mimeType": "audio/wav", **told},
        {"type": "resource", "resource": {"uri": "demo://a", "mimeType": "application/octet-stream", **told}},
    ]
    assert [(part.digest, part.data) for part in parts] == [(DIGEST, DATA)], "the same bytes are one part"
    assert TEXT not in repr(blocks)
    assert "PNG" not in repr(parts), "nor does a log get it"


def test_texts_links_and_annotations_are_left_as_they_are() -> None:
    document = types.TextResourceContents(
        uri="demo://b", mime_type="text/plain", text="Words.", _meta={"x": 1}
    )
    link = types.ResourceLink(uri="demo://c", name="c", icons=[types.Icon(src="data:image/png;base64,AAAA")])
    notes = types.Annotations(audience=["user"], priority=0.5)
    blocks, parts = read_blocks(
        [types.EmbeddedResource(resource=document), link, types.TextContent(text="a", annotations=notes)]
    )
    assert blocks == [
        {"type": "resource", "resource": {"uri": "demo://b", "mimeType": "text/plain", "text": "Words."}},
        {"type": "resource_link", "uri": "demo://c", "name": "c"},
        {"type": "text", "text": "a", "annotations": {"audience": ["user"], "priority": 0.5}},
    ]
    assert parts == ()


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (image(kind="image/svg+xml"), "nothing of this kind is passed on"),
        (image(kind="text/html"), "nothing of this kind is passed on"),
        (image(kind="<script>"), "nothing of this kind is passed on"),
        (image(data="%%%"), "it is not encoded as the protocol says"),
        (image(data=b64encode(b"x" * 40).decode()), "it is too large"),
        (blob("data:image/png;base64,AAAA"), "its address is no address, or holds what it leads to"),
        (blob("demo://" + "x" * 3_000), "its address is no address, or holds what it leads to"),
        *(
            (types.ResourceLink(uri=uri, name="x"), "its address is no address, or holds what it leads to")
            for uri in ("DATA:,x", " data:,x", "javascript:alert(1)", "VBScript:x", "blob:https://a/b")
        ),
    ],
)
def test_what_nobody_passes_on_is_left_out_with_a_word(
    block: types.ContentBlock, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "PART_LIMIT_BYTES", 32)
    [told], parts = read_blocks([block])
    assert (told.get("resource", told)["left_out"], parts) == (why, ())
    assert "<" not in repr(told), "nor is a stranger's word for its kind repeated"


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("text/html;profile=mcp-app", "text/plain"),
        ("image/svg+xml", "text/plain"),
        ("text/javascript", "text/plain"),
        ("Text/CSV; header=present", "text/csv"),
    ],
)
def test_a_text_that_programs_would_run_is_told_as_plain(named: str, told: str) -> None:
    document = types.TextResourceContents(uri="ui://b", mime_type=named, text="<script>")
    [block], _ = read_blocks([types.EmbeddedResource(resource=document)])
    assert block["resource"] == {"uri": "ui://b", "mimeType": told, "text": "<script>"}


def test_many_small_parts_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_PARTS", 2)
    blocks, parts = read_blocks([image(data=b64encode(bytes([n])).decode()) for n in range(3)])
    assert (len(parts), blocks[-1]["left_out"]) == (2, "there are too many")


def test_together_they_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "PARTS_LIMIT_BYTES", 15)
    blocks, parts = read_blocks([image(data=b64encode(bytes([n]) * 10).decode()) for n in range(2)])
    assert (len(parts), blocks[-1]["left_out"]) == (1, "it is too large")


def test_the_messages_of_a_prompt_keep_whose_words_they_are() -> None:
    said = types.PromptMessage(role="assistant", content=types.TextContent(text="Hm."))
    shown = types.PromptMessage(role="user", content=image())
    blocks, parts = read_messages([said, shown])
    assert [(block["role"], block["type"]) for block in blocks] == [("assistant", "text"), ("user", "image")]
    assert len(parts) == 1


def test_all_that_is_said_of_it_is_a_strangers() -> None:
    document = types.TextResourceContents(uri="demo://b", text="Pay to DE02.")
    blocks, _ = read_blocks([image(), types.EmbeddedResource(resource=document)])
    leaves = list(label_leaves(blocks, (), "a server's tool"))
    assert "Pay to DE02." in [leaf.text for leaf in leaves]
    assert {leaf.label.source for leaf in leaves} == {"untrusted"}
