"""Changes of a run's options that take less memory or less of the disk, or that keep numbers finite: one table for what
the checks propose beforehand and for what may help a run that failed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.choices.adapters import WHOLE
from core.choices.optimizers import OPTIMIZERS
from core.config.findings import Fix
from core.config.options import RunConfig
from core.config.settle import absolute, exists
from core.config.table import find_option
from core.families.describe import SourceDescription, describe
from core.machine import Machine, inspect_machine
from core.nearby import nearest
from core.planning.memory import optimizer_of, precision_of
from core.planning.rates import rates_for
from core.texts import UserError, apart, beside, message, noted, say

MEMORY = frozenset({"memory.out", "training.out-of-memory", "training.no-room-for-the-optimizer"})
NOT_A_NUMBER = frozenset({"training.not-finite", "checkpoint.not-finite"})
DISK = frozenset({"disk.full"})
SMALLEST_RATE = 1e-7
SMALLEST_SIDE = 384
"""Pixels; below them no model of these families draws anything."""
MOST_PASSES = 1024
SAVES = " (saves {saving})"
"""Stands behind what a check proposes."""

_Values = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A run, and where it is trained. `size` is what its resolution became, in px, where that is known."""

    config: RunConfig
    machine: Machine | None = None
    missing_modules: frozenset[str] = frozenset()
    size: int | None = None

    @property
    def passes(self) -> int:
        return self.config.batch.size * self.config.batch.accumulation

    @property
    def smaller(self) -> int:
        """The next smaller side worth training at, 0 where there is none."""
        asked = self.config.model.resolution
        side = self.size if asked == "auto" else asked
        smaller = 0 if side is None else side * 3 // 4 // 64 * 64
        return smaller if smaller >= SMALLEST_SIDE else 0

    @property
    def values(self) -> _Values:
        """Whatever stands in the labels."""
        return {"passes": self.passes, "side": self.smaller, "count": self.config.saving.keep_checkpoints,
                "optimizer": optimizer_of(self.config, self.machine).title}  # fmt: skip


@dataclass(frozen=True)
class Remedy:
    """`changes` are those of a case, `None` where they are in force already or cannot work. `brief` (code, text, what
    stands behind it) is how a check proposes it; without one it does not.
    """

    code: str
    english: str
    brief: tuple[str, ...]
    changes: Callable[[Case], _Values | None]
    pictures: bool = False
    """Whether it spares what pictures take, instead of what is kept for each weight."""

    def fix(self, case: Case) -> Fix | None:
        """What may help a run that failed."""
        changes = self.changes(case)
        return None if changes is None else Fix(message(self.code, self.english, **case.values), changes)


def _one_at_a_time(case: Case) -> _Values | None:
    if case.config.batch.size == 1 or case.passes > MOST_PASSES:
        return None
    return {"batch.size": 1, "batch.accumulation": case.passes}


def _checkpointing(case: Case) -> _Values | None:
    return None if case.config.performance.gradient_checkpointing else {"performance.gradient_checkpointing": True}


def _half(case: Case) -> _Values | None:
    if case.machine is None or not case.machine.knows_bf16 or precision_of(case.config, case.machine) != "no":
        return None
    return {"performance.mixed_precision": "bf16"}


def _8bit(case: Case) -> _Values | None:
    """Where its library is and it keeps less than what is used; a rate that meant something else is not taken over."""
    used, smaller = optimizer_of(case.config, case.machine), OPTIMIZERS["adamw_8bit"]
    if smaller.state_bytes >= used.state_bytes or case.missing_modules.intersection(smaller.needs):
        return None
    anew = used.finds_rate and not isinstance(case.config.learning_rate.rate, str)
    return {"performance.optimizer": smaller.id} | ({"learning_rate.rate": "auto"} if anew else {})


def _no_text_encoder(case: Case) -> _Values | None:
    chosen = case.config.performance
    return {"performance.text_encoder_ratio": 0.0} if chosen.text_encoder_ratio > 0 and chosen.train_unet else None


def _no_average(case: Case) -> _Values | None:
    return {"performance.ema": False} if case.config.performance.ema else None


def _cache(case: Case) -> _Values | None:
    return None if case.config.performance.cache_latents else {"performance.cache_latents": True}


def _bf16_weights(case: Case) -> _Values | None:
    chosen, machine = case.config.performance, case.machine
    if case.config.method != WHOLE or chosen.weights == "bf16" or machine is None or not machine.knows_bf16:
        return None
    if not optimizer_of(case.config, machine).steps_parts:
        return None
    precision = {} if chosen.mixed_precision == "auto" else {"performance.mixed_precision": "bf16"}
    return {"performance.weights": "bf16"} | precision


def _lora(case: Case) -> _Values | None:
    if case.config.method != WHOLE:
        return None
    rate = {} if isinstance(case.config.learning_rate.rate, str) else {"learning_rate.rate": "auto"}
    return {"lora.enabled": True, "performance.weights": "fp32"} | rate


def _smaller_pictures(case: Case) -> _Values | None:
    return {"model.resolution": case.smaller} if case.smaller else None


def _fewer_states(case: Case) -> _Values | None:
    return {"saving.keep_checkpoints": 2} if case.config.saving.keep_checkpoints > 2 else None


def _export_once(case: Case) -> _Values | None:
    return {"saving.on_save": False} if case.config.saving.on_save else None


def _save_at_the_end(case: Case) -> _Values | None:
    every = case.config.intervals
    if not every.save_every_epochs and not every.save_every_steps:
        return None
    return {"intervals.save_every_epochs": 0, "intervals.save_every_steps": 0}


def _half_exports(case: Case) -> _Values | None:
    return None if case.config.saving.half else {"saving.half": True}


def _one_export(case: Case) -> _Values | None:
    return {"saving.include_ema": False} if case.config.saving.include_ema and case.config.performance.ema else None


_SMALLER_OPTIMIZER = Remedy("remedy.8bit", "8bit AdamW instead of {optimizer}", ("fix.8bit", "use 8bit AdamW", SAVES),
                            _8bit)  # fmt: skip
_WITHOUT_TEXT_ENCODER = Remedy(
    "remedy.no-text-encoder", "Without training the text encoder",
    ("fix.no-text-encoder", "do not train the text encoder", SAVES), _no_text_encoder,
)  # fmt: skip

FOR_MEMORY = (
    Remedy("remedy.batch-one", "One picture at a time, {passes} passes an update: slower",
           ("fix.batch-one", "one picture at a time, with the same effect", SAVES), _one_at_a_time, pictures=True),
    Remedy("remedy.checkpointing", "Gradient checkpointing: a quarter slower",
           ("fix.checkpointing", "turn gradient checkpointing on", SAVES), _checkpointing, pictures=True),
    Remedy("remedy.bf16", "Arithmetic in 16 bits (bf16)", ("fix.bf16", "compute in bf16", SAVES), _half, pictures=True),
    _SMALLER_OPTIMIZER,
    _WITHOUT_TEXT_ENCODER,
    Remedy("remedy.no-ema", "No average of the weights", ("fix.no-ema", "keep no average of the weights", SAVES),
           _no_average),
    Remedy("remedy.cache", "Encode the pictures once, not at each step",
           ("fix.cache", "encode the pictures once", SAVES), _cache, pictures=True),
    Remedy("remedy.lora-instead", "A LoRA instead of the whole model",
           ("fix.lora-instead", "train a LoRA instead", SAVES), _lora),
    Remedy("remedy.bf16-weights", "The weights in bf16: half the memory",
           ("fix.bf16-weights", "keep the weights in bf16", SAVES), _bf16_weights),
    Remedy("remedy.resolution", "Pictures of {side} px: less detail", (), _smaller_pictures, pictures=True),
)  # fmt: skip
"""The most promising first: what changes nothing of the result, then what changes little."""

FOR_THE_DISK = (
    Remedy("remedy.keep", "Keep two saved states instead of {count}", ("fix.keep", "keep 2 states", SAVES),
           _fewer_states),
    Remedy("remedy.no-export-on-save", "Export only at the end, not at each save",
           ("fix.no-export-on-save", "do not export at each save", SAVES), _export_once),
    Remedy("remedy.half", "Export in 16 bits: half the size", ("fix.half", "export in half precision", SAVES),
           _half_exports),
    Remedy("remedy.no-average-export", "Do not export the average too",
           ("fix.no-average-export", "do not export the average too", SAVES), _one_export),
    Remedy("remedy.save-end", "Save at the end only, not in between", ("fix.save-end", "save at the end only", SAVES),
           _save_at_the_end),
    _SMALLER_OPTIMIZER,
    _WITHOUT_TEXT_ENCODER,
)  # fmt: skip


def remedies(code: str, config: RunConfig, size: int | None = None) -> tuple[Fix, ...]:
    """What `config` could be changed to after it failed on this computer with `code`, without what is in force already.
    Empty where no option would help. `size` is what the resolution `auto` became, in px.
    """
    if code in NOT_A_NUMBER:
        return tuple(_for_numbers(config, inspect_machine()))
    if code == "pictures.missing":
        return tuple(_near(config))
    table = FOR_MEMORY if code in MEMORY else FOR_THE_DISK if code in DISK else ()
    if not table:
        return ()
    case = Case(config, inspect_machine(), _missing(), size)
    return tuple(fix for remedy in table if _can_help(remedy, code) and (fix := remedy.fix(case)) is not None)


def ways(code: str, config: RunConfig, size: int | None = None) -> str:
    """The same in words, for the message with this `code`; last what helps whatever the options are."""
    found = [_in_words(fix) for fix in remedies(code, config, size)]
    if code in NOT_A_NUMBER:
        return apart([*found, say("remedy.pictures", "look at these pictures: a strange one can do it")])
    if config.model.resolution == "auto" and size is None:
        found.append(say("memory.out.resolution", "a smaller Resolution (model.resolution)"))
    found.append(say("remedy.close", "close other programs that use the memory"))
    return apart(found)


def _in_words(fix: Fix) -> str:
    """With the options as the wizard names them, and as `--set` and run.toml take them."""
    options = beside(
        noted(find_option(path).title, f"{path} = {json.dumps(value)}") for path, value in fix.changes.items()
    )
    return say("remedy.way", "{label} – {options}", label=fix.label.text, options=options)


def _missing() -> frozenset[str]:
    needed = {module for entry in OPTIMIZERS.values() for module in entry.needs}
    return frozenset(module for module in needed if importlib.util.find_spec(module) is None)


def _can_help(remedy: Remedy, code: str) -> bool:
    if code == "training.no-room-for-the-optimizer":
        return not remedy.pictures  # they fitted
    # the loop goes down to one picture by itself before it gives up with this code
    return code != "training.out-of-memory" or remedy.changes is not _one_at_a_time


def _for_numbers(config: RunConfig, machine: Machine) -> Iterator[Fix]:
    rate, suits = config.rate, rates_for(config, _source(config), machine)
    if rate > suits.high:
        yield Fix(message("remedy.usual-rate", "A learning rate that suits {what}: {rate:g}", what=suits.what,
                          rate=suits.usual), {"learning_rate.rate": suits.usual})  # fmt: skip
    if SMALLEST_RATE <= rate / 2 <= suits.high and config.performance.optimizer != "prodigy":
        yield Fix(message("remedy.rate", "Half the learning rate: {rate:.2g}", rate=rate / 2),
                  {"learning_rate.rate": float(f"{rate / 2:.3g}")})  # fmt: skip
    if precision_of(config, machine) != "no":
        yield Fix(message("remedy.precision", "Arithmetic in 32 bits: slower, more memory"),
                  {"performance.mixed_precision": "no"})  # fmt: skip
    if not config.learning_rate.warmup_steps:
        yield Fix(message("remedy.warmup", "A warm-up over the first tenth of the run"),
                  {"learning_rate.warmup_steps": "10%"})  # fmt: skip


def _near(config: RunConfig) -> Iterator[Fix]:
    """The folders of pictures that were probably meant, where one is not there."""
    for number, concept in enumerate(config.concepts):
        folder = absolute(concept.instance.directory)
        near = None if exists(str(folder)) else nearest(folder)
        if near is not None:
            yield Fix(message("fix.near", "Take {path}", path=near),
                      {f"concepts.{number}.instance.directory": str(near)})  # fmt: skip


def _source(config: RunConfig) -> SourceDescription | None:
    model = config.model
    try:
        return describe(model.source, model.revision, model.variant, family=model.family) if model.source else None
    except UserError:
        return None
