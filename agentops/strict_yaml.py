"""From YAML text to plain data, within limits. Only what JSON has as well, so nothing is guessed.

No aliases (a few lines of them can unfold into gigabytes), no tags, no second document, no duplicate keys;
dates, ``yes`` and ``0777`` are texts, as they look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, NodeEvent
from yaml.events import Event as YamlEvent

from agentops.errors import ValidationFailed

SIZE_LIMIT_BYTES = 512 * 1024
DEPTH_LIMIT = 40
EVENT_LIMIT = 100_000

_TAG = "tag:yaml.org,2002:"
_FAST: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """How much of a document is read. `plain_keys`: what looks like a number is a key all the same, and a text."""

    size_bytes: int = SIZE_LIMIT_BYTES
    depth: int = DEPTH_LIMIT
    events: int = EVENT_LIMIT
    plain_keys: bool = False


STANDARD = YamlLimits()


class StrictLoader(_FAST):  # type: ignore[misc, valid-type]  # whichever of the two this installation has
    """Build dicts with text keys, each at most once, and scalars as JSON knows them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    plain_keys = False

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse what PyYAML takes silently: the last of two equal keys would win."""
        seen: set[str] = set()
        for key_node, _ in node.value:
            if self.plain_keys and isinstance(key_node, yaml.ScalarNode):
                key_node.tag = f"{_TAG}str"
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a text", key_node.start_mark
                )
            if key_node.value in seen:
                problem = f"the key {key_node.value!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key_node.value)
        return dict(super().construct_mapping(node, deep=deep))


for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    StrictLoader.add_implicit_resolver(_TAG + _tag, re.compile(f"(?:{_pattern})$"), _first)


class PlainKeyLoader(StrictLoader):
    """The same, with keys such as the 200 of an answer as texts."""

    plain_keys = True


def read_yaml(text: str, limits: YamlLimits = STANDARD) -> Any:  # Any: not checked against a schema yet
    """Return the one document of a text; raises ValidationFailed naming the line."""
    if len(text.encode(errors="surrogatepass")) > limits.size_bytes:
        raise ValidationFailed(
            "document_too_large", f"a document has at most {limits.size_bytes // 1024} KiB"
        )
    loader = PlainKeyLoader if limits.plain_keys else StrictLoader
    try:
        _check_events(text, limits)
        return yaml.load(text, Loader=loader)  # noqa: S506  a SafeLoader, and stricter
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ValidationFailed("invalid_yaml", f"{line}{error.problem or 'not YAML'}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValidationFailed("invalid_yaml", f"not YAML: {error}") from error


def _check_events(text: str, limits: YamlLimits) -> None:
    """Look at the stream of tokens before anything is built of it; raises ValidationFailed."""
    depth = documents = 0
    for number, event in enumerate(yaml.parse(text, Loader=_FAST)):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        documents += isinstance(event, DocumentStartEvent)
        if number > limits.events or depth > limits.depth:
            _refuse(event, f"more than {limits.depth} levels or {limits.events} parts")
        if documents > 1:
            _refuse(event, "a second document: one file holds one")
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            _refuse(event, "an anchor or alias: write it out")
        if isinstance(event, NodeEvent) and getattr(event, "tag", None):
            _refuse(event, "a tag: plain values only")


def _refuse(event: YamlEvent, problem: str) -> None:
    line = event.start_mark.line + 1 if event.start_mark else 1
    raise ValidationFailed("invalid_yaml", f"line {line}: {problem}")
