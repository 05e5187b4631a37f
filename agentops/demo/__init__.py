"""The demo company's surroundings: a small online shop and a planner that plays scripted turns.

Both are ordinary HTTP servers on the loopback interface and import nothing of the platform, so the platform
meets them exactly as it would meet a company's own shop and a real model.
"""
