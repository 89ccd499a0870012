"""Model, concepts, parameters, review: from nothing to a run, in four screens."""
