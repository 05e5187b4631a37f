"""Suite ``indicators``: how often the rule is wrong, and how often it finds what is there."""
