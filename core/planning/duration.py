"""How long a run will take, by what former runs of the same kind measured on this computer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from core.choices import optimizers
from core.choices.adapters import WHOLE
from core.config.options import RunConfig
from core.machine import Machine
from core.planning.facts import Facts
from core.planning.memory import precision_of, resolution_of, weights_of
from core.planning.plan import Plan, count_due, is_due

CPU = "CPU"
"""What runs on a processor name as their device."""


@dataclass(frozen=True)
class Kind:
    """What the time of a step depends on, beside its pictures, as far as it can be known beforehand. Only runs of one
    kind are compared.
    """

    device: str
    """The card's name, or `CPU`."""
    family: str
    method: str
    resolution: int
    precision: str
    processes: int
    batch: tuple[int, int]
    """Size and accumulation: more at a time is faster for each, and an update is shared by all of them."""
    adapters: tuple[int, int, str] | None
    """Of a LoRA and its kin: the ranks and where they stand."""
    unet: bool
    text_encoder: bool
    prior: bool
    checkpointing: bool
    compiled: bool
    optimizer: str
    weights: str
    attention: str
    """As it was asked for: what `auto` becomes is measured when the run starts, and the same on the same computer."""
    threads: int
    deterministic: bool
    average: bool
    cached: bool


@dataclass(frozen=True)
class Pace:
    """What one former run measured, in seconds; `None` is what it did not do."""

    kind: Kind
    picture: float
    """Of training: for each picture of the person's own."""
    denoising: float | None = None
    """Of previews: for each denoising step of each picture."""
    class_denoising: float | None = None
    """The same of class pictures."""
    save: float | None = None
    """One that is waited for, as that at the end."""
    gap: float | None = None
    """What any other takes of the time between two steps: it is written while training goes on."""
    export: float | None = None
    """For each byte."""
    validation: float | None = None
    start: float | None = None
    """From its beginning to the first step, class pictures apart."""


@dataclass(frozen=True)
class Duration:
    """Seconds of a run; `None`: no former run tells."""

    training: float
    start: float | None
    class_pictures: float | None
    previews: float | None
    saves: float | None
    exports: float | None
    validations: float | None
    rests: float

    @property
    def parts(self) -> tuple[float | None, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    @property
    def total(self) -> float:
        """Of all that is known."""
        return sum(part for part in self.parts if part is not None)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is known."""
        return None not in self.parts


def kind_of(config: RunConfig, facts: Facts) -> Kind | None:
    """Of a run that is planned; `None` as long as its source or the machine is not known."""
    source, machine = facts.description, facts.machine
    resolution = resolution_of(config, source)
    if source is None or machine is None or resolution is None:
        return None
    return settled_kind(config, device=_device(machine), family=source.family, resolution=resolution,
                        precision=precision_of(config, machine), processes=facts.processes)  # fmt: skip


def settled_kind(
    config: RunConfig, *, device: str, family: str, resolution: int, precision: str, processes: int
) -> Kind:
    """The same where every `auto` is known."""
    chosen, lora = config.performance, config.lora
    return Kind(
        device, family, config.method, resolution, precision, processes,
        batch=(config.batch.size, config.batch.accumulation),
        adapters=None if config.method == WHOLE else (lora.rank, lora.text_encoder_rank, lora.targets),
        unet=chosen.train_unet,
        text_encoder=chosen.text_encoder_ratio > 0,
        prior=any(concept.prior.images_per_instance for concept in config.concepts),
        checkpointing=chosen.gradient_checkpointing,
        compiled=chosen.compile,
        optimizer=optimizers.settle(chosen.optimizer, "cpu" if device == CPU else "cuda"),
        weights=weights_of(config),
        attention=chosen.attention,
        threads=chosen.threads,
        deterministic=chosen.deterministic,
        average=chosen.ema,
        cached=chosen.cache_latents,
    )  # fmt: skip


def estimate(config: RunConfig, facts: Facts, plan: Plan, paces: Sequence[Pace]) -> Duration | None:
    """By the first of `paces` (the newest) that is of the same kind; what that run did not do, by the next that did.
    `None` where there is none: then nothing is known before the first steps.
    """
    kind = kind_of(config, facts)
    like = [pace for pace in paces if pace.kind == kind]
    if not like:
        return None
    denoising = _first(pace.denoising for pace in like)
    class_denoising = _first(pace.class_denoising for pace in like) or denoising
    save, gap = _first(pace.save for pace in like), _first(pace.gap for pace in like)
    every = config.intervals
    validations = _validations(plan, every.validate_every_steps)
    rests = count_due(plan.steps - 1, every.pause_every_epochs, 0, plan.steps_per_epoch)
    return Duration(
        training=like[0].picture * plan.images_per_step * plan.steps,
        start=_first(pace.start for pace in like),
        class_pictures=_times(class_denoising, sum(concept.class_missing * wanted.prior.steps for concept, wanted
                                                   in zip(plan.concepts, config.concepts, strict=True))),
        previews=_times(denoising, plan.sample_pictures * sampling_steps(config)),
        saves=_sum(_times(gap, plan.save_steps - 1), save),
        exports=_times(_first(pace.export for pace in like), exports(config, plan) * (plan.export_bytes or 0)),
        validations=_times(_first(pace.validation for pace in like), validations),
        rests=rests * every.pause_seconds,
    )  # fmt: skip


def _validations(plan: Plan, every: int) -> int:
    """Before the first step, each so many, and after the last."""
    at_end = is_due(plan.steps, 0, every, plan.steps_per_epoch)
    return 1 + count_due(plan.steps, 0, every, plan.steps_per_epoch) + (not at_end) if every else 0


def exports(config: RunConfig, plan: Plan) -> int:
    """How many files are exported until the run is done."""
    saving = config.saving
    times = (plan.save_steps - 1) * saving.on_save + (saving.export_when_done or saving.on_save)
    return times * (2 if config.performance.ema and saving.include_ema else 1)


def sampling_steps(config: RunConfig) -> float:
    """Denoising steps of a preview, in the mean of all that are made."""
    counts = [(concept.sample.count * (1 + concept.sample.with_class), concept.sample.steps)
              for concept in config.concepts]  # fmt: skip
    pictures = sum(count for count, _ in counts)
    return sum(count * steps for count, steps in counts) / pictures if pictures else 0.0


def _device(machine: Machine) -> str:
    return machine.gpu if machine.device == "cuda" else CPU


def _times(seconds: float | None, count: float) -> float | None:
    return 0.0 if count == 0 else None if seconds is None else seconds * count


def _sum(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _first(figures: Iterable[float | None]) -> float | None:
    return next((figure for figure in figures if figure is not None), None)
