"""Deciding about many requests together: grouped, checked one by one, confirmed once, decided each by itself.

Nothing is ever approved by itself: a batch spares the repetition of a decision, never the decision.
"""
