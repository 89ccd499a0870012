"""What an option may be: registries of small entries without torch. An entry's `build` imports what it needs."""
