"""Versions tried by sets of cases: the real driver and the real model, tools that answer as the case says, no effects.

``declared`` reads a case: pure. ``chance`` compares figures, the same ones always alike. ``plans`` and ``calls`` are
what a driver needs of a run of a case; ``sets`` writes sets, ``recorded`` makes cases of runs, ``evaluating`` has them
tried, ``scoring`` judges what came of it, ``gate`` keeps a version from being published, ``comparing`` puts two beside
each other.
"""
