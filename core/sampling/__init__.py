"""Pictures from a model: class pictures before training, previews during it, and what `generate` makes."""
