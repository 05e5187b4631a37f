"""Blocks of content as the record has them, and as MCP has them: with their bytes in place of their digests."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mcp_types as types

Block = Mapping[str, Any]  # Any: JSON, as tools.adapters.mcp.contents has read it

NOT_KEPT = "it is kept no more"


def find_digests(blocks: Sequence[Block]) -> Iterator[str]:
    """Yield what the blocks refer to."""
    for block in blocks:
        told = block.get("resource", block)
        if "sha256" in told:
            yield told["sha256"]


def write_blocks(blocks: Sequence[Block], parts: Mapping[str, bytes]) -> list[types.ContentBlock]:
    """Return the blocks for a client; what was left out, or is kept no more, is said in words."""
    return [write_block(block, parts) for block in blocks]


def write_block(block: Block, parts: Mapping[str, bytes]) -> types.ContentBlock:
    """Return one block for a client."""
    import mcp_types as types  # only here: the SDK takes half a second to import

    told: dict[str, Any] = dict(block.get("resource", block))
    left_out = told.pop("left_out", "")
    digest, size = told.pop("sha256", ""), told.pop("bytes", None)
    if digest and digest not in parts:
        left_out = NOT_KEPT
    if left_out:
        return types.TextContent(text=_word(block["type"], told, size, left_out))
    if digest:
        told["blob" if "resource" in block else "data"] = b64encode(parts[digest]).decode()
    whole = {**block, "resource": told} if "resource" in block else told
    read: types.ContentBlock = _read(types, whole)
    return read


def _read(
    types: Any, whole: Mapping[str, Any]
) -> Any:  # Any: the module that is imported late, and its types
    kinds = {
        "text": types.TextContent,
        "image": types.ImageContent,
        "audio": types.AudioContent,
        "resource": types.EmbeddedResource,
        "resource_link": types.ResourceLink,
    }
    return kinds[whole["type"]].model_validate(whole, by_name=False)


def _word(kind: str, told: Mapping[str, Any], size: int | None, why: str) -> str:
    what = told.get("mimeType") or kind.replace("_", " ")
    return f"[{what}{'' if size is None else f' of {size} bytes'} is left out: {why}]"
