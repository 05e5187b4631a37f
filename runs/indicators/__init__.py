"""What a task takes of each agent version, and whether a version takes more than the one before it.

`rule` decides from two samples, `samples` reads them, `watching` looks now and then and keeps what it found.
"""
