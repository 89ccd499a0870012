"""What is trained: something, until the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.planning.facts import Facts
from core.texts import message


def something(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Without the U-Net the text encoder has to learn, and from the first step to the last."""
    chosen = config.performance
    if chosen.train_unet or chosen.text_encoder_ratio == 1:
        return
    yield Finding(Level.ERROR, "performance.train_unet", message(
        "trained.nothing", "After {ratio:.0%} of the run nothing is trained any more: neither the U-Net nor the text "
        "encoder.", mend="Train the U-Net, or the text encoder for the whole run.", ratio=chosen.text_encoder_ratio),
        (Fix(message("fix.train-unet", "Train the U-Net"), {"performance.train_unet": True}),
         Fix(message("fix.train-text", "Train the text encoder for the whole run"),
             {"performance.text_encoder_ratio": 1.0})))  # fmt: skip


CHECKS = (something,)
