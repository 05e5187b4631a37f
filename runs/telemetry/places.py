"""What the spans of a run are named after. Whoever makes a call names its span before there is one to send."""

CHAT = "chat"  # with step and attempt
SUMMARY = "summary"  # with the last step that it is to stand for
EMBEDDING = "embedding"  # with its entry
TOOL = "tool"  # with the call's key and the attempt, both of its entry
APPROVAL = "approval"  # with step, call and the entry that asked
CONFIRMATION = "confirmation"  # the same
SETTLED = "settled"  # with the entry: a call that came to its end without an attempt
