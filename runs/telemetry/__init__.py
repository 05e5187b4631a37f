"""What a run did, told to the tools by which operators watch all that they run: spans, and where they are sent."""
