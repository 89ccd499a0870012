"""What a run is: its options, presets and `run.toml`. Free of torch: the wizard lives on it."""
