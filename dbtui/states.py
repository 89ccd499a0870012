"""What the states and phases of a run are called, wherever they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from core.texts import Texts, in_force


class States(Mapping[str, tuple[str, str, str]]):
    """State → mark, words (in the language in force), colour. The colour only repeats what mark and words say."""

    english: Mapping[str, tuple[str, str, str]]

    def __init__(self, english: Mapping[str, tuple[str, str, str]]) -> None:
        self.english = english

    def __getitem__(self, state: str) -> tuple[str, str, str]:
        mark, words, colour = self.english[state]
        return mark, in_force(f"state.{state}", words) if words else "", colour

    def __iter__(self) -> Iterator[str]:
        return iter(self.english)

    def __len__(self) -> int:
        return len(self.english)


STATES = States(
    {
        "new": ("·", "not started", "$foreground-muted"),
        "downloading": ("►", "downloading", "$text-primary"),
        "loading": ("►", "loading", "$text-primary"),
        "class-images": ("►", "class pictures", "$text-primary"),
        "caching": ("►", "preparing", "$text-primary"),
        "compiling": ("►", "compiling", "$text-primary"),
        "measuring": ("►", "measuring", "$text-primary"),
        "training": ("►", "training", "$text-primary"),
        "sampling": ("►", "previews", "$text-primary"),
        "resting": ("►", "resting", "$text-primary"),
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
)

PHASES = Texts(
    "phase",
    {
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
    },
)
"""Phase → what is going on, as the beginning of a line."""
