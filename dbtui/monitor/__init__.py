"""A run while it trains, and after: loss, rate, samples, machine, log, and the keys that reach the trainer."""
