"""What an option may be: registries of small entries, free of torch. An entry's `build` imports what it needs inside."""
