"""The runs: what there is, and what can be done with it."""
