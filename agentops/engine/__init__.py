"""The deterministic orchestrator: pure values and functions.

No Django, no I/O, no clock, no randomness: time, jitter and prices come in as arguments, and every input
that mattered is an event of the run's ledger stream. Folding that stream again gives the same commands.
"""

ENGINE_VERSION = 1
