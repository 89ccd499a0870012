"""What is measured: a family, a method, a batch size, and any other option of a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from core.choices.adapters import METHODS
from core.config.options import RunConfig
from core.config.parsing import read_assignment, with_changes
from core.families import FAMILIES
from core.texts import Texts, UserError, joined

FULL = "full"
"""What people say for the model itself."""
METHOD_CHOICES = (FULL, *METHODS)
USUAL_METHODS = (FULL, "lora")
KINDS = Texts("bench.kind", {"family": "family", "method": "method"})
FEWEST_PICTURES = 4
QUIET: Mapping[str, Any] = {
    "model.name": "bench",
    "concepts.0.instance.identifier": "sks",
    "concepts.0.instance.class_noun": "dog",
    "concepts.0.sample.count": 0,
    "performance.seed": 0,
    "learning_rate.rate": 1e-6,
    "intervals.epochs": 1_000_000,
    "intervals.save_every_epochs": 0,
    "intervals.sample_every_epochs": 0,
    "intervals.validate_every_steps": 0,
    "saving.export_when_done": False,
    "saving.on_cancel": False,
}
"""A run that does nothing but train, longer than anybody measures."""
OWN = ("model.source", "concepts.0.instance.directory", "concepts.0.prior.directory")
"""What `config_of` sets, whatever else is asked for."""


@dataclass(frozen=True)
class Setting:
    """One line of the table. `options` are other options of the run: path → value as text."""

    family: str
    method: str
    batch: int
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The setting in a few words."""
        return " ".join(part for part in (self.family, self.method, f"batch {self.batch}", self.variant) if part)

    @property
    def variant(self) -> str:
        """The options as they are written."""
        return " ".join(f"{path}={value}" for path, value in self.options.items())


def settings_of(
    families: Sequence[str], methods: Sequence[str], batches: Sequence[int], variants: Sequence[str]
) -> list[Setting]:
    """Every combination, the family changing slowest; what is empty is the usual: all families, full and LoRA, batch 1.

    A variant is a text of options, `"performance.compile=true performance.attention=sdpa"`. Raises `UserError`.
    """
    _known("family", families, tuple(FAMILIES))
    _known("method", methods, METHOD_CHOICES)
    for batch in batches:
        if batch < 1:
            raise UserError("bench.batch", "A batch of {batch} pictures cannot be trained.", mend="Take 1 or more.",
                            batch=batch)  # fmt: skip
    options = [_options(variant) for variant in variants] or [{}]
    return [
        Setting(family, method, batch, chosen)
        for family, method, chosen, batch in product(
            families or FAMILIES, methods or USUAL_METHODS, options, batches or (1,)
        )
    ]


def config_of(setting: Setting, source: Path, pictures: Path) -> RunConfig:
    """The run that is measured; `pictures` stand for the subject's and the class's."""
    chosen: dict[str, Any] = {"batch.size": setting.batch}
    if setting.method != FULL:
        chosen |= {"lora.enabled": True, "lora.method": setting.method}
    own = dict(zip(OWN, (str(source), str(pictures), str(pictures)), strict=True))
    return with_changes(RunConfig(), {**QUIET, **chosen, **setting.options, **own})


def pictures_of(config: RunConfig) -> int:
    """How many pictures it takes for whole steps alone: some, so that an epoch is not over at once."""
    batch = config.batch.size * config.batch.accumulation
    return batch * math.ceil(FEWEST_PICTURES / batch)


def _options(variant: str) -> dict[str, str]:
    """A variant's options. What names the source and the pictures is refused: these are made for the measurement."""
    options = dict(_assignments(variant))
    taken = sorted(set(options) & {*OWN, "batch.size", "lora.enabled", "lora.method"})
    if taken:
        raise UserError(
            "bench.option", "{option} cannot be chosen in a setting.",
            mend="The model and the pictures are made for the measurement; --batch and --method say the rest.",
            option=taken[0],
        )  # fmt: skip
    with_changes(RunConfig(), options)  # a wrong value is said before anything is measured
    return options


def _assignments(variant: str) -> Iterator[tuple[str, str]]:
    for text in variant.split():
        if "=" not in text:
            raise UserError(
                "config.assignment", "--setting takes section.option=value; {text!r} has no =.",
                mend="For example: --setting 'performance.compile=true performance.attention=sdpa'", text=text,
            )  # fmt: skip
        yield read_assignment(text)


def _known(what: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UserError("bench.unknown", "There is no {what} {name!r}.", mend="Choose one of {known}.",
                            what=KINDS[what], name=name, known=joined(known))  # fmt: skip
