"""What may help a run that failed: changes of its options, the most promising first."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.optimizers import OPTIMIZERS
from core.config.findings import Fix
from core.config.options import RunConfig
from core.texts import message

MEMORY = frozenset({"memory.out", "training.out-of-memory", "training.no-room-for-the-optimizer"})
NOT_A_NUMBER = frozenset({"training.not-finite", "checkpoint.not-finite"})
DISK = frozenset({"disk.full"})
SMALLEST_RATE = 1e-7
SMALLEST_SIDE = 384
"""Pixels; below them no model of these families draws anything."""


def remedies(code: str, config: RunConfig, size: int | None = None) -> tuple[Fix, ...]:
    """What `config` could be changed to after it failed with `code`, without what is in force already. Empty where
    no option would help. `size` is what the resolution `auto` became, in px.
    """
    if code in MEMORY:
        return tuple(_for_memory(code, config, size))
    if code in NOT_A_NUMBER:
        return tuple(_for_numbers(config))
    if code in DISK:
        return tuple(_for_disk(config))
    return ()


def _for_memory(code: str, config: RunConfig, size: int | None) -> Iterator[Fix]:
    performance, batch = config.performance, config.batch
    product = batch.size * batch.accumulation
    # the loop goes down to one picture by itself before it gives up with this code
    if batch.size > 1 and product <= 1024 and code != "training.out-of-memory":
        yield Fix(message("remedy.one-at-a-time", "One picture at a time, {passes} passes an update: slower",
                          passes=product),
                  {"batch.size": 1, "batch.accumulation": product})  # fmt: skip
    if not performance.gradient_checkpointing and code != "training.no-room-for-the-optimizer":
        yield Fix(message("remedy.checkpointing", "Gradient checkpointing: a quarter slower"),
                  {"performance.gradient_checkpointing": True})  # fmt: skip
    if OPTIMIZERS.get(performance.optimizer) is OPTIMIZERS["adamw"]:
        yield Fix(message("remedy.8bit", "8bit AdamW instead of AdamW"),
                  {"performance.optimizer": "adamw_8bit"})  # fmt: skip
    if performance.text_encoder_ratio > 0 and performance.train_unet:
        yield Fix(message("remedy.no-text-encoder", "Without training the text encoder"),
                  {"performance.text_encoder_ratio": 0.0})  # fmt: skip
    if not config.lora.enabled:
        yield Fix(message("remedy.lora", "A LoRA instead of the whole model"),
                  {"lora.enabled": True, "learning_rate.rate": "auto"})  # fmt: skip
    side = size if config.model.resolution == "auto" else config.model.resolution
    smaller = 0 if side is None else side * 3 // 4 // 64 * 64
    if smaller >= SMALLEST_SIDE:
        yield Fix(message("remedy.resolution", "Pictures of {side} px: less detail", side=smaller),
                  {"model.resolution": smaller})  # fmt: skip


def _for_numbers(config: RunConfig) -> Iterator[Fix]:
    rate = config.rate
    if rate / 2 >= SMALLEST_RATE and config.performance.optimizer != "prodigy":
        yield Fix(message("remedy.rate", "Half the learning rate: {rate:.2g}", rate=rate / 2),
                  {"learning_rate.rate": float(f"{rate / 2:.3g}")})  # fmt: skip
    if config.performance.mixed_precision != "no":
        yield Fix(message("remedy.precision", "Arithmetic in 32 bits: slower, more memory"),
                  {"performance.mixed_precision": "no"})  # fmt: skip
    if not config.learning_rate.warmup_steps:
        yield Fix(message("remedy.warmup", "A warm-up over the first tenth of the run"),
                  {"learning_rate.warmup_steps": "10%"})  # fmt: skip


def _for_disk(config: RunConfig) -> Iterator[Fix]:
    saving = config.saving
    if saving.keep_checkpoints > 2:
        yield Fix(message("remedy.fewer-states", "Keep two saved states instead of {count}",
                          count=saving.keep_checkpoints), {"saving.keep_checkpoints": 2})  # fmt: skip
    if saving.on_save:
        yield Fix(message("remedy.export-once", "Export only at the end, not at each save"), {"saving.on_save": False})
    if not saving.half:
        yield Fix(message("remedy.half", "Export in 16 bits: half the size"), {"saving.half": True})
    if saving.include_ema:
        yield Fix(message("remedy.no-average", "Do not export the average too"), {"saving.include_ema": False})
