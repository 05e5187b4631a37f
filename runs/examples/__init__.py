"""Runs that people have approved as examples to learn from, and the file that a model is tuned by.

``lines`` makes a conversation of each approved step, just as the model was shown it; ``services`` are the verbs.
"""
