"""Where a call's values come from, and whether the user asked for it: pure, and decided before any effect.

The planner is taken to be in the hands of whoever wrote the texts that it has read. So nothing it says is evidence:
what counts is what the user wrote, and which leaf of which tool's result holds a value.
"""
