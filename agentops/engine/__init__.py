"""The deterministic orchestrator: pure values and functions.

No Django, no I/O, no clock, no randomness: time, jitter and prices come in as arguments, and every input
that mattered is an event of the run's ledger stream. Folding that stream again gives the same commands.
"""

# A run keeps the rules of the version that it started with:
# 2: a final answer stands also where its last model call cost more than the run had left.
# 3: people's words and successful writes end a circle, and a call counts however many others lie between; an
#    answer that the budget cut short is no answer.
# 4: a run may have a plan.
# 5: a run may be external: an agent outside plans, and its calls arrive one by one.
# 6: a call may be held, for people to veto it.
# 7: a run may have to be admitted first; people may edit a call before they approve it, or ask the agent back.
# 8: a run may ask for more at a limit of its own, the end user may have to confirm a call, people may close a
#    conversation that was handed over to them, and a run may propose: what has an effect is staged as an item of a
#    change set, which people review.
# 9: a call may give another agent a task, as a run of its own, for a share of what this one has left.
# 10: nobody is asked any longer about a task that is not needed any more.
# 11: a run may read on in a result that was too long to be shown whole, and have its oldest steps summarised.
# 12: each model call has a role, by which it is put to one of several models; another is asked where one is down.
# 13: a run may remember, and recall what earlier runs of its agent for its principal have remembered.
# 14: what became of a call may be recalled from the recording of another run: nothing was attempted for it.
# 15: a run may have what it looks for turned into a vector, by which notes are found by their meaning; and a call may
#     be awaited that an agent elsewhere works on.
ENGINE_VERSION = 15
