"""An OpenAI-compatible server that plays scripted turns instead of thinking.

Start it with ``python -m agentops.demo.planner --port 8020 [--scripts DIR]`` and give a client
``base_url="http://127.0.0.1:8020/v1"``. README.md beside this file describes a script.
"""
