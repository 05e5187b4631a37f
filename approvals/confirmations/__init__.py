"""Confirmation by the end user: asked through their application, bound to the very call, distinct from any approval."""
