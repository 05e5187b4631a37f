"""The blocks of an answer that is no JSON: texts and links as they are, of everything else what it is and its digest.

What is not text never gets into a value, and so neither into a prompt, the ledger nor a page: there it is
``{"type": "image", "mimeType": "image/png", "bytes": 68, "sha256": "…"}``, and its bytes are a part beside the value.
A part that nobody here passes on is not kept; the block says ``left_out`` and why.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from mcp_types import ContentBlock, PromptMessage

from tools.outcomes import Part

PART_LIMIT_BYTES = 1024 * 1024
PARTS_LIMIT_BYTES = 2 * 1024 * 1024  # of one answer
MOST_PARTS = 16
# What programs show or unpack without running it: no SVG, no HTML, no scripts.
KINDS = frozenset(
    {
        *(f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp")),
        *(f"audio/{kind}" for kind in ("wav", "x-wav", "mpeg", "mp4", "ogg", "flac", "webm")),
        *(f"application/{kind}" for kind in ("pdf", "json", "gzip", "zip", "octet-stream")),
        *(f"text/{kind}" for kind in ("plain", "csv", "markdown")),
    }
)
PLAIN = "text/plain"
UNKNOWN = "application/octet-stream"  # RFC 2046, 4.5.1: of whoever does not say
LONGEST_ADDRESS = 2_048
# Addresses that hold what they lead to, or run it where somebody follows them.
SELF_MADE = frozenset(("data", "blob", "javascript", "vbscript"))

_KIND = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}")
_OF_PEOPLE = {"meta", "icons"}  # pictures of pictures, and what hosts tell each other

Block = dict[str, Any]  # Any: JSON


def read_blocks(content: Sequence[ContentBlock]) -> tuple[list[Block], tuple[Part, ...]]:
    """Return the blocks as JSON without any bytes, and the parts that they name by digest, each once."""
    parts: dict[str, Part] = {}
    return [_read(block, parts) for block in content], tuple(parts.values())


def read_messages(messages: Sequence[PromptMessage]) -> tuple[list[Block], tuple[Part, ...]]:
    """Return the messages of a prompt as blocks, each with whose words it is to be."""
    blocks, parts = read_blocks([message.content for message in messages])
    return [{**block, "role": told.role} for block, told in zip(blocks, messages, strict=True)], parts


def _read(block: ContentBlock, parts: dict[str, Part]) -> Block:
    read: Block = block.model_dump(by_alias=True, exclude_none=True, mode="json", exclude=_OF_PEOPLE)
    told: Block = read.get("resource", read)
    told.pop("_meta", None)
    if not _is_address(told.get("uri", "x:")):
        return {"type": block.type, "left_out": "its address is no address, or holds what it leads to"}
    if "text" in told and "mimeType" in told:  # words are shown to people whatever their kind, but as words
        kind = _kind_of(told["mimeType"])
        told["mimeType"] = kind if kind in KINDS else PLAIN
    for name in ("data", "blob"):
        if name in told:
            told |= _take(told.pop(name), str(told.get("mimeType", UNKNOWN)), parts)
    return read


def _is_address(uri: str) -> bool:
    scheme = uri.partition(":")[0].strip().lower()
    return len(uri) <= LONGEST_ADDRESS and uri.isprintable() and scheme not in SELF_MADE


def _kind_of(named: str) -> str:
    return named.partition(";")[0].strip().lower()


def _take(text: str, named: str, parts: dict[str, Part]) -> Block:
    """Keep one part, and return what its block says of it."""
    kind = _kind_of(named)
    told: Block = {"mimeType": kind if _KIND.fullmatch(kind) else UNKNOWN}
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return {**told, "left_out": "it is not encoded as the protocol says"}
    told["bytes"] = len(data)
    why = _refuse(kind, len(data), parts)
    if why:
        return {**told, "left_out": why}
    part = Part(hashlib.sha256(data).hexdigest(), data)
    parts[part.digest] = part
    return {**told, "sha256": part.digest}


def _refuse(kind: str, size: int, parts: dict[str, Part]) -> str:
    if kind not in KINDS:
        return "nothing of this kind is passed on"
    if size > PART_LIMIT_BYTES or size + sum(len(part.data) for part in parts.values()) > PARTS_LIMIT_BYTES:
        return "it is too large"
    return "there are too many" if len(parts) >= MOST_PARTS else ""
