"""What makes a tool easy to misuse for a model that guesses, and how to narrow it. Advice: a definition may stand.

What a definition must not lack at all is for ``tools.services.faults``.
"""

from tools.lint.findings import Finding
from tools.lint.rules import examine
from tools.lint.splitting import Narrow, split

__all__ = ["Finding", "Narrow", "examine", "split"]
