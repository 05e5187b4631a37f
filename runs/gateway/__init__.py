"""The gateway: an agent outside calls our tools over MCP, each call in a run, on the same path as all others.

`conversations` opens the run, `receiving` appends the call to it, `taking` is the driver's side, `answers` says what
became of it; `offering` lists the tools. `server` translates to MCP and back, `application` is what config mounts.
"""
