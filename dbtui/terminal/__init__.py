"""The terminal: how the app holds it, and what happens when it goes away."""
