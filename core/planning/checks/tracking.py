"""Findings about where the figures go."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.tracking import SIGNED_OUT, TENSORBOARD, WANDB
from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.planning.facts import Facts
from core.texts import message

OFF = Fix(message("fix.no-wandb", "Send nothing"), {"tracking.wandb_project": ""})


def tensorboard(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    if config.tracking.tensorboard and TENSORBOARD in facts.missing_modules:
        yield Finding(Level.ERROR, "tracking.tensorboard", message(
            "tracking.tensorboard-missing", "TensorBoard's library is not installed here.",
            mend="Install it with `pip install tensorboard`, or switch it off."),
            (Fix(message("fix.no-tensorboard", "Switch it off"), {"tracking.tensorboard": False}),))  # fmt: skip


def weights_and_biases(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    if not config.tracking.wandb_project:
        return
    if WANDB in facts.missing_modules:
        yield Finding(Level.ERROR, "tracking.wandb_project", message(
            "tracking.wandb-missing", "The library of Weights & Biases is not installed here.",
            mend="Install it with `pip install wandb`, or send nothing."), (OFF,))  # fmt: skip
    elif not facts.signed_in:
        yield Finding(Level.ERROR, "tracking.wandb_project", SIGNED_OUT, (OFF,))
    bad = sorted(set(config.tracking.wandb_project) & set("/\\#?%:"))
    if bad:
        yield Finding(Level.ERROR, "tracking.wandb_project", message(
            "tracking.wandb-name", "A project's name cannot hold {characters}.", mend="Take another name.",
            characters=" ".join(bad)), (OFF,))  # fmt: skip


CHECKS = (tensorboard, weights_and_biases)
