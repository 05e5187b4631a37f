"""Episodic memory: what runs note for later runs of the same agent for the same principal, and who reads it."""
