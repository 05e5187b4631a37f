"""Second people for what governs agents."""
