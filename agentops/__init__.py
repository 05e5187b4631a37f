"""AgentOps: a deterministic orchestrator around a non-deterministic reasoner.

This package is the kernel and knows no app above it. Standard library only at this level:
``python3 -m agentops`` has to work before anything is installed.
"""

from __future__ import annotations

__version__ = "0.1.0"
