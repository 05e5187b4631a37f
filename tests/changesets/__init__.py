"""Change sets with real workers, and what holds for every partial acceptance."""
