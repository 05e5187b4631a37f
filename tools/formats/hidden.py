"""Characters that people do not see, or that turn around what they see; no argument needs one.

Joiners that emoji and scripts are made of, and marks of direction, stay: a text may hold them, a name may not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HIDDEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # controls, all but tab and the ends of lines
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0"  # drawn as nothing
    "\u200b\u2028\u2029\u2060-\u206f\ufeff\ufff9-\ufffb"  # no width, separators, isolates, notes
    "\u202a-\u202e"  # embeddings and overrides of direction
    "\U000e0000-\U000e0fff"  # tags, by which whole sentences are smuggled, and variations of variations
    "\ufdd0-\ufdef\ufffe\uffff"  # no characters
    "]"
)


def find_hidden(root: object) -> Iterator[tuple[list[str | int], str]]:
    """Yield where a JSON value holds such a character, with its code (``U+202E``); names of members included."""
    todo: list[tuple[list[str | int], object]] = [([], root)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, str):
            if _may_hide(value):
                yield from _name_first(path, value)
        elif isinstance(value, dict):
            for name, item in value.items():
                if _may_hide(name):
                    yield from _name_first([*path, "?"], name)
                todo.append(([*path, name], item))
        elif isinstance(value, list):
            todo.extend(([*path, place], item) for place, item in enumerate(value))


def _may_hide(text: str) -> bool:
    """Whether it is worth a closer look: most texts are plain, and this is asked of every call."""
    return not (text.isascii() and text.isprintable())


def _name_first(path: list[str | int], text: str) -> Iterator[tuple[list[str | int], str]]:
    found = _HIDDEN.search(text)
    if found:
        yield path, f"U+{ord(found[0]):04X}"
