"""A2A 1.0: agents of others give tasks to those of ours that are exposed; each is a run, on the path of all others.

`admitting` says who calls, `messages` reads what is said, `taking` starts a run or goes on with one, `standing` says
how it stands in the protocol's words, `following` tells that as it changes. `cards` describes the agents, `handler`
translates for the official SDK, which an optional extra brings, and `application` is what config mounts.
"""
