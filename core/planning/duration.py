"""How long a run will take, by what former runs of the same kind measured on this computer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.config.options import RunConfig
from core.machine import Machine
from core.planning.facts import Facts
from core.planning.memory import precision_of, resolution_of
from core.planning.plan import Plan


@dataclass(frozen=True)
class Kind:
    """What the time of a step depends on, beside its pictures. Only runs of one kind are compared."""

    device: str
    """The card's name, or `CPU`."""
    family: str
    method: str
    resolution: int
    precision: str
    processes: int
    text_encoder: bool
    prior: bool
    checkpointing: bool
    compiled: bool


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

    @property
    def total(self) -> float:
        """Of all that is known."""
        parts = (self.training, self.start, self.class_pictures, self.previews, self.saves)
        return sum(part for part in parts if part is not None)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is known."""
        return None not in (self.start, self.class_pictures, self.previews, self.saves)


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
    return Kind(
        device, family, config.method, resolution, precision, processes,
        text_encoder=config.performance.text_encoder_ratio > 0,
        prior=any(concept.prior.images_per_instance for concept in config.concepts),
        checkpointing=config.performance.gradient_checkpointing,
        compiled=config.performance.compile,
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
    save = _first(pace.save for pace in like)
    return Duration(
        training=like[0].picture * plan.images_per_step * plan.steps,
        start=_first(pace.start for pace in like),
        class_pictures=_times(class_denoising, sum(concept.class_missing * wanted.prior.steps for concept, wanted
                                                   in zip(plan.concepts, config.concepts, strict=True))),
        previews=_times(denoising, plan.sample_pictures * sampling_steps(config)),
        saves=_times(save, plan.save_steps),
    )  # fmt: skip


def sampling_steps(config: RunConfig) -> float:
    """Denoising steps of a preview, in the mean of all that are made."""
    counts = [(concept.sample.count * (1 + concept.sample.with_class), concept.sample.steps)
              for concept in config.concepts]  # fmt: skip
    pictures = sum(count for count, _ in counts)
    return sum(count * steps for count, steps in counts) / pictures if pictures else 0.0


def _device(machine: Machine) -> str:
    return machine.gpu if machine.device == "cuda" else "CPU"


def _times(seconds: float | None, count: float) -> float | None:
    return 0.0 if count == 0 else None if seconds is None else seconds * count


def _first(figures: Iterable[float | None]) -> float | None:
    return next((figure for figure in figures if figure is not None), None)
