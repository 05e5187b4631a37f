"""Runs that begin by the clock: when, in whose name, and what becomes of times that were missed."""
