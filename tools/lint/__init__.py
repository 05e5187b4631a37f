"""What makes a tool easy to misuse for a model that guesses, and how to narrow it.

A definition may stand all the same. Agents are not published with errors, unless a named person overrides them. What
a definition must not lack at all is for ``tools.services.faults``.
"""

from tools.lint.findings import Finding
from tools.lint.rules import examine
from tools.lint.splitting import Narrow, split

__all__ = ["Finding", "Narrow", "examine", "split"]
