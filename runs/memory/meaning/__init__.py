"""Notes found by their meaning: vectors of a model that is set for it, compared by pgvector beside the full text."""
