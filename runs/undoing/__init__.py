"""Undoing what a run has done: by a run of its own, whose steps are compensations in reverse order.

No model is asked. What is to be undone is fixed when the undo starts; how, the tools' definitions say. Whoever has
other effects to undo in this way makes a list of them: nothing here but ``services`` knows why they are undone.
"""
