"""Measuring the platform itself: a null model and a null tool, everything else real."""
