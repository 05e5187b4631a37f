"""Which media type an answer is given in: the Accept field, as RFC 9110 (12.5.1) reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MAX_LENGTH = 8_192

# Commas and semicolons inside a quoted parameter separate nothing.
_RANGES = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*"?)+')
_PARTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*"?)+')
_RANGE = re.compile(r"\*/\*|[!#$%&'*+.^_`|~0-9a-z-]+/(?:\*|[!#$%&'*+.^_`|~0-9a-z-]+)")
_WEIGHT = re.compile(r"0?\.[0-9]+|0\.?|1(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One member of an Accept field; its parameters tell no two of our answers apart and are left out."""

    type: str
    weight: float

    def rank(self, media_type: str) -> int:
        """Return how exactly this names a media type: 3 the type itself, 2 its family, 1 anything, 0 not."""
        if self.type == media_type:
            return 3
        if self.type == "*/*":
            return 1
        return 2 if self.type == f"{media_type.partition('/')[0]}/*" else 0


class ContentNegotiation(DefaultContentNegotiation):
    """The renderer that the caller prefers; DRF's own ignores weights, so that ``q=0`` was taken for a yes."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the best renderer and its media type; raises NotAcceptable when the caller wants none of them."""
        ranges = list(_read_accept(request.headers.get("Accept", "")))
        judged = [(_judge(ranges, str(each.media_type)), each) for each in renderers]
        # The first of equals: a caller without a preference gets ours.
        (weight, _), best = max(judged, key=lambda each: each[0])
        if not weight:
            raise NotAcceptable(available_renderers=[each for _, each in judged])
        return best, str(best.media_type)


def _read_accept(field: str) -> Iterator[MediaRange]:
    """Yield the ranges of a field; what is no range, or has no weight, asks for nothing."""
    if not field.strip(" \t,"):
        yield MediaRange("*/*", 1.0)  # no preference
    if len(field) > MAX_LENGTH:
        return
    for member in _RANGES.findall(field):
        name, *parameters = (part.strip(" \t").lower() for part in _PARTS.findall(member))
        name = "*/*" if name == "*" else name  # Java's HttpURLConnection
        weights = [value[2:] for value in parameters if value.startswith("q=")]
        if _RANGE.fullmatch(name) and all(map(_WEIGHT.fullmatch, weights)):
            yield MediaRange(name, float(weights[0]) if weights else 1.0)


def _judge(ranges: Sequence[MediaRange], media_type: str) -> tuple[float, int]:
    """Return a type's weight, which its most exact range decides, and how exact that is."""
    named = [(each.rank(media_type), each.weight) for each in ranges]
    rank, weight = max(named, default=(0, 0.0))
    return (weight, rank) if rank else (0.0, 0)
