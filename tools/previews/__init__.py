"""What a call would change, before → after, and as of which state of its target: what people sign."""
