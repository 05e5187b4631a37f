"""The deterministic orchestrator: pure values and functions.

No Django, no I/O, no clock, no randomness: time, jitter and prices come in as arguments, and every input
that mattered is an event of the run's ledger stream. Folding that stream again gives the same commands.
"""

# A run keeps the rules of the version that it started with:
# 2: a final answer stands also where its last model call cost more than the run had left.
ENGINE_VERSION = 2
