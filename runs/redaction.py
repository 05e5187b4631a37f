"""What is taken out of a prompt before a model is asked: values that tools call sensitive, and patterns. Pure.

It is taken out of values and not out of text that holds them encoded, so what is left is still what it was: JSON stays
JSON. The ledger, people's pages and the rules go on knowing the values; only what leaves for a model lacks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentops.engine import events as e
from runs.window import Written
from tools.calls import ToolSpec
from tools.provenance.labels import EVERY, Rules, label_at

SENSITIVE = "sensitive"
REDACTED = "[redacted]"
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
SHORTEST_IBAN = 15


def _is_card(text: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812, Luhn)."""
    digits = [int(char) for char in reversed(text) if char.isdigit()]
    return sum(sum(divmod(digit * (1 + place % 2), 10)) for place, digit in enumerate(digits)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Return whether a bank account number checks (ISO 13616, modulo 97)."""
    bare = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1


def _cut_iban(text: str) -> str:
    """Return how much of a text is an account number: words in capitals behind it look like its end."""
    ends = [len(text), *sorted((space.start() for space in re.finditer(" ", text)), reverse=True)]
    return text[: next((end for end in ends if end >= SHORTEST_IBAN and _is_iban(text[:end])), 0)]


# How a kind is found, and how much of what was found it is.
PATTERNS: dict[str, tuple[re.Pattern[str], Callable[[str], str]]] = {
    "card": (_CARD, lambda text: text if _is_card(text) else ""),
    "email": (_EMAIL, lambda text: text),
    "iban": (_IBAN, _cut_iban),
}
KINDS = (*PATTERNS, SENSITIVE)


@dataclass
class Redactor:
    """Takes out what a version's ``kinds`` say, and counts the values that it was taken out of."""

    kinds: Iterable[str]
    count: int = field(default=0)

    def redact_text(self, text: str) -> str:
        """Return a text without what the patterns find."""
        shown = text
        for kind in self.kinds:
            if kind in PATTERNS:
                shown = self._take_out(shown, kind)
        self.count += shown != text
        return shown

    def _take_out(self, text: str, kind: str) -> str:
        pattern, measure = PATTERNS[kind]

        def replace(found: re.Match[str]) -> str:
            taken = measure(found[0])
            return f"[redacted {kind}]{found[0][len(taken) :]}" if taken else found[0]

        return pattern.sub(replace, text)

    def redact_value(
        self, value: Any, is_secret: Callable[[tuple[str, ...]], bool], path: tuple[str, ...] = ()
    ) -> Any:
        """Return a JSON value without what is secret by its path, or what the patterns find, names of fields too."""
        if isinstance(value, dict):
            return {
                self.redact_text(str(name)): self.redact_value(item, is_secret, (*path, str(name)))
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [self.redact_value(item, is_secret, (*path, EVERY)) for item in value]
        if value is not None and is_secret(path):
            self.count += 1
            return REDACTED
        if isinstance(value, bool) or value is None:
            return value
        shown = self.redact_text(str(value))
        return value if shown == str(value) else shown

    def redact_entry(self, written: Written, tool: ToolSpec | None) -> Written:
        """Return an entry as it may be shown to a model; ``tool`` is that whose answer it holds, if it holds one."""
        if not isinstance(written.content, dict):
            return written
        content = {
            name: self.redact_value(each, self._secrecy_of(written, name, tool))
            for name, each in written.content.items()
        }
        return written._replace(content=content)

    def _secrecy_of(
        self, written: Written, name: str, tool: ToolSpec | None
    ) -> Callable[[tuple[str, ...]], bool]:
        holds_answer = written.kind == e.CALL_SUCCEEDED and name == "value"
        if SENSITIVE not in self.kinds or not holds_answer:
            return lambda _: False
        rules: Rules = tool.declared.results if tool else ()
        whole = bool(written.facts.get(SENSITIVE))  # what a child made of something sensitive
        return lambda path: whole or label_at(path, rules).sensitive


def redact_step(
    entries: Mapping[int, Written], kinds: Iterable[str], catalogue: Mapping[str, ToolSpec]
) -> tuple[dict[int, Written], int]:
    """Return a step's entries as a model may see them, and in how many of their values something was taken out."""
    redactor = Redactor(kinds)
    tools = {
        (each.facts["step"], call["call"]): call["tool"]
        for each in entries.values()
        if each.kind == e.STEP_DECIDED
        for call in each.facts["calls"]
    }
    shown = {}
    for seq, written in entries.items():
        tool = tools.get((written.facts.get("step", 0), written.facts.get("call", 0)), "")
        shown[seq] = redactor.redact_entry(written, catalogue.get(tool))
    return shown, redactor.count
