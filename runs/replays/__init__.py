"""Replaying a recorded run: everything that was decided in it is decided again, and nothing is done."""
