"""Forks: a recorded run gone through again from one of its steps on, with something changed, and without effects.

Up to that step everything is taken from the recording. From there on the model is asked, and a call is answered as it
was then, or not made.
"""
