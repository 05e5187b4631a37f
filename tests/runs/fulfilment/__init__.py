"""Types of tasks: what can be declared, what is made of it, and when a run is judged."""
