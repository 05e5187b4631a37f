"""Change sets: what a run in propose mode wants to change, reviewed as a whole and then carried out without a model.

Each staged call is an approval request of its own, bound to the key under which the applying run will make it; so
people decide by the same rules as about any call, and what goes out is what they signed.
"""
