"""A call of a run gives another agent a task: the child's start, the wait for it, its answer, and what calls it off."""
