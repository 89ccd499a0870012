"""What the states and phases of a run are called, wherever they are shown."""

from __future__ import annotations

STATES: dict[str, tuple[str, str, str]] = {
    "new": ("·", "not started", "$foreground-muted"),
    "downloading": ("►", "downloading", "$text-primary"),
    "loading": ("►", "loading", "$text-primary"),
    "class-images": ("►", "class pictures", "$text-primary"),
    "caching": ("►", "preparing", "$text-primary"),
    "training": ("►", "training", "$text-primary"),
    "sampling": ("►", "previews", "$text-primary"),
    "saving": ("►", "saving", "$text-primary"),
    "exporting": ("►", "exporting", "$text-primary"),
    "paused": ("‖", "paused", "$text-warning"),
    "stopped": ("■", "stopped", "$foreground"),
    "done": ("✓", "done", "$text-success"),
    "failed": ("✗", "failed", "$text-error"),
    "lost": ("?", "was cut off", "$text-warning"),
    "unreadable": ("✗", "unreadable", "$text-error"),
    "draft": ("~", "draft", "$foreground-muted"),
    "unknown": (" ", "", "$foreground-muted"),
}
"""State → mark, words, colour. The colour only repeats what the mark and the words say."""

PHASES: dict[str, str] = {
    "downloading": "Downloading the model",
    "libraries": "Loading the libraries",
    "loading": "Loading the model",
    "class-images": "Making class pictures",
    "caching": "Preparing pictures and captions",
    "compiling": "Compiling the model",
    "measuring": "Measuring memory",
    "training": "Training",
    "sampling": "Making previews",
    "resting": "Resting",
    "saving": "Saving",
    "exporting": "Exporting",
}
"""Phase → what is going on, as the beginning of a line."""
