"""Arguments that are looked up: the planner describes a thing, and a tool that reads says which one it is."""
