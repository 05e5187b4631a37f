"""How many tokens a prompt takes at most: what money is reserved for."""

from __future__ import annotations

from collections.abc import Sequence

from runs.planner.messages import Message, ToolSchema, encode_json, render_tools

# Per message, beyond its JSON (whose keys and quotes already outweigh role markers): chat templates wrap a
# message in 3 (OpenAI) to 5 (ChatML, Llama 3) special tokens.
TOKENS_PER_MESSAGE = 8

# Per tool, beyond its JSON: separators and, in OpenAI's rendering as TypeScript, comments and a type line.
TOKENS_PER_TOOL = 16

# Per JSON delimiter of a tool: some templates (Llama 3.1) print schemas indented; a line break and an
# indentation of up to 32 spaces are at most 3 tokens in their vocabularies.
TOKENS_PER_DELIMITER = 3

# Text that templates add on their own: priming of the answer, a date header (Llama 3.1: about 25), gpt-oss'
# system message (about 80).
TOKENS_PER_REQUEST = 256

# Instructions on tool use that come with the first tool: Anthropic documents 159 to 530 tokens by model,
# Qwen and Hermes print about 150.
TOKENS_FOR_TOOL_USE = 1024

_TEXT_PARTS = frozenset({"text", "refusal"})


def upper_bound_tokens(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> int:
    """Return a number of prompt tokens that no provider's count exceeds.

    Byte-level vocabularies, which all current models have, put at least one UTF-8 byte into a token; so the
    bytes of the request's JSON bound its text, and the constants above bound what templates add. Usually
    three to five times the real count. Raises ValueError for images and other parts that are not text.
    """
    for message in messages:
        _refuse_media(message.get("content"))
    bound = len(encode_json(messages)) + TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_REQUEST
    if tools:
        schemas = encode_json(render_tools(tools))
        delimiters = sum(schemas.count(delimiter) for delimiter in (b",", b"{", b"}", b"[", b"]"))
        bound += len(schemas) + TOKENS_PER_DELIMITER * delimiters + TOKENS_PER_TOOL * len(tools)
        bound += TOKENS_FOR_TOOL_USE
    return bound


def _refuse_media(content: object) -> None:
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict) or part.get("type") not in _TEXT_PARTS:
            raise ValueError("only text has a bound: an image costs more tokens than its URL has bytes")
