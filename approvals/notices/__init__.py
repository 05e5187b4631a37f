"""Notices: told to people by e-mail, and to channels, from rows written with what they tell."""
