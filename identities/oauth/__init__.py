"""The token endpoint and what belongs to it: who asks, what is signed, who may pass authority on, what still counts."""
