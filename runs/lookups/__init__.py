"""Looking up what a call's arguments describe, by the tools that its tool names for that."""
