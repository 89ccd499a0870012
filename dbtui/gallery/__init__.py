"""The previews of a run side by side: rows are prompts, columns are steps, each row with the same seed throughout."""
