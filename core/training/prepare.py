"""What comes before the first step, as a generator of events like the loop: pictures, model, class pictures, caches."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.config.options import Concept, RunConfig
from core.config.prompts import class_prompt, concept_name, instance_prompt
from core.config.runfile import fingerprint
from core.data.batches import BatchPlan
from core.data.caches import LatentCache, LatentTable
from core.data.captions import caption
from core.data.dataset import ConceptItems, Dataset, Item
from core.data.scan import Scan, scan
from core.events import Event, Phase, RunStarted
from core.families import hub
from core.families.describe import SourceDescription, describe
from core.families.load import load_model
from core.families.model import Model
from core.files import explain, hash_file
from core.machine import inspect_machine
from core.planning.facts import Facts
from core.planning.plan import Plan, make_plan
from core.sampling.class_pictures import ClassPictures, generated_in
from core.sampling.denoising import SamplingSettings
from core.texts import UserError, counted, listed, path_in_words
from core.training.checkpoints import TrainingState
from core.training.device import Settled, versions
from core.training.faults import warning
from core.training.precision import autocast
from core.training.requests import Requests


@dataclass(frozen=True)
class Material:
    """What a run learns from, before any network is loaded: the source's description and each concept's pictures."""

    source: SourceDescription
    scans: tuple[Scan, ...]


@dataclass(frozen=True)
class Prepared:
    """Everything that stays the same over a run. Items are numbered: all instance pictures, then all class pictures,
    concept by concept.
    """

    model: Model
    dataset: Dataset
    table: LatentTable
    batches: BatchPlan
    data_hash: str

    @property
    def items(self) -> list[Item]:
        """Every picture, at the place of its number."""
        concepts = self.dataset.concepts
        instances = [item for concept in concepts for item in concept.instance]
        return instances + [item for concept in concepts for item in concept.prior]

    @property
    def instance_items(self) -> range:
        """The numbers of the person's own pictures."""
        return range(sum(len(concept.instance) for concept in self.dataset.concepts))

    @property
    def prior_items(self) -> range:
        """The numbers of the class pictures."""
        return range(len(self.instance_items), len(self.items))

    @property
    def first_instance(self) -> list[int]:
        """The number of each concept's first instance item."""
        return _starts([len(concept.instance) for concept in self.dataset.concepts], 0)

    @property
    def first_prior(self) -> list[int]:
        """The number of each concept's first class item."""
        return _starts([len(concept.prior) for concept in self.dataset.concepts], len(self.instance_items))


def gather(config: RunConfig, requests: Requests) -> Generator[Event, None, Material]:
    """Describe the source, downloaded first where it is a hub id that is not here, and look at every picture.

    Raises `UserError` for what cannot be read at all, and `StopRequested`.
    """
    model = config.model
    try:
        source = describe(model.source, model.revision, model.variant)
    except UserError as error:
        if error.code != "source.not-downloaded":
            raise
        yield Phase(name="downloading")
        hub.download(model.source, model.revision, model.variant, while_waiting=requests.look_or_stop)
        source = describe(model.source, model.revision, model.variant)
    scans = tuple(scan(Path(concept.instance.directory).expanduser(), decode=True) for concept in config.concepts)
    for concept, found in zip(config.concepts, scans, strict=True):
        if found.refused and not concept.instance.leave_out_unreadable:
            raise UserError("data.unreadable", "{count} in {directory} cannot be read: {names}.",
                            mend="Mend or remove them, or set instance.leave_out_unreadable = true in the run.toml.",
                            count=counted(len(found.refused), "file"), directory=path_in_words(found.directory),
                            names=_refused_names(found))  # fmt: skip
        if not found.pictures:
            raise UserError("data.no-pictures", "There are no pictures to learn from in {directory}.",
                            mend="Put three or more pictures into the folder, or name another one.",
                            directory=path_in_words(found.directory))  # fmt: skip
    return Material(source, scans)


def plan_run(config: RunConfig, material: Material) -> Plan:
    """The counts of the run, as `check` and the wizard show them. Raises `UserError` where there is nothing to do."""
    plan = make_plan(config, Facts(scans=material.scans, source=material.source, machine=inspect_machine()))
    if plan is None:
        raise UserError("data.nothing-to-do", "There are too few pictures for a single step.",
                        mend="Add pictures, or make batch.size and batch.accumulation smaller.")  # fmt: skip
    return plan


def started(
    config: RunConfig, source: SourceDescription, settled: Settled, plan: Plan, state: TrainingState | None
) -> RunStarted:
    """The event that opens a life of the run. It goes on exactly as it would have where nothing that the numbers
    depend on has changed since `state`.
    """
    now = (fingerprint(config), settled.name, settled.precision, plan.steps, versions())
    then = (state.config_hash, state.device, state.precision, state.total_steps, state.versions) if state else now
    return RunStarted(
        config_hash=fingerprint(config),
        versions=versions(),
        device=settled.name,
        total_steps=plan.steps,
        steps_per_epoch=plan.steps_per_epoch,
        resumed_from=state.step if state else None,
        exact=now == then and settled.device.type == "cpu",
        settled={
            "precision": settled.precision,
            "optimizer": settled.optimizer,
            "resolution": settled.size,
            "threads": settled.threads,
            "text_encoder_steps": plan.text_encoder_steps,
            "source_commit": source.commit,
        },
    )


def prepare(
    config: RunConfig, folder: Path, material: Material, settled: Settled, requests: Requests
) -> Generator[Event, None, Prepared]:
    """Load the source, make the missing class pictures, fill the caches; the VAE leaves the device afterwards.

    Raises `StopRequested` between pictures when a stop was asked for; what was made by then is kept.
    """
    for concept, found in zip(config.concepts, material.scans, strict=True):
        yield from _tell_refused(concept, found)

    yield Phase(name="loading")
    model = load_model(material.source, device=settled.device)
    requests.look_or_stop()

    for number, concept in enumerate(config.concepts):
        if concept.prior.images_per_instance:
            instances = len(material.scans[number].pictures)
            yield from _class_pictures(config, folder, concept, number, instances, model, settled, requests)

    dataset = Dataset(
        tuple(
            _concept_items(config, folder, concept, number, material.scans[number])
            for number, concept in enumerate(config.concepts)
        )
    )
    table = yield from _latents(dataset, folder, model, settled, requests)
    batches = BatchPlan(
        instances=[len(concept.instance) for concept in dataset.concepts],
        repeats=[concept.repeats for concept in dataset.concepts],
        priors=[len(concept.prior) for concept in dataset.concepts],
        size=config.batch.size,
        accumulation=config.batch.accumulation,
        incomplete=config.batch.incomplete,
        seed=config.performance.seed,
    )
    model.vae.to("cpu")
    if settled.device.type == "cuda":
        torch.cuda.empty_cache()
    return Prepared(model, dataset, table, batches, _data_hash(dataset))


def class_directory(config: RunConfig, folder: Path, number: int) -> Path:
    """Where a concept's class pictures are: the person's own folder, else one in the run."""
    own = config.concepts[number].prior.directory
    return Path(own).expanduser() if own else folder / "class" / concept_name(config.concepts[number], number)


def _tell_refused(concept: Concept, found: Scan) -> Generator[Event, None, None]:
    if found.refused:
        yield warning(
            "data.left-out", "{count} of the files in {directory} cannot be read and are left out: {names}.",
            count=len(found.refused), directory=concept.instance.directory,
            names=_refused_names(found),
        )  # fmt: skip


def _refused_names(found: Scan) -> str:
    names = (path_in_words(refused.path.name) for refused in found.refused)
    reasons = (refused.reason.text.rstrip(".") for refused in found.refused)
    return listed(f"{name} ({reason})" for name, reason in zip(names, reasons, strict=True))


def _class_pictures(
    config: RunConfig, folder: Path, concept: Concept, number: int, instances: int, model: Model, settled: Settled,
    requests: Requests,
) -> Generator[Event, None, None]:  # fmt: skip
    directory = class_directory(config, folder, number)
    present = len(scan(directory, decode=True).pictures) if directory.is_dir() else 0
    foreign = present - len(generated_in(directory))
    pictures = ClassPictures(
        directory=directory,
        wanted=max(0, concept.prior.images_per_instance * instances - foreign),
        prompt=class_prompt(concept),
        negative_prompt=concept.prior.negative_prompt,
        settings=SamplingSettings(concept.prior.guidance_scale, concept.prior.steps, settled.size),
        batch_size=concept.prior.batch_size,
        seed=config.performance.seed,
        concept=concept_name(concept, number),
    )
    total = len(pictures.missing)
    if not total:
        return
    done = 0
    yield Phase(name="class-images", done=0, total=total)
    making = pictures.generate(
        model, autocast=autocast(settled.precision, settled.device), on_step=requests.look_or_stop
    )
    try:
        for made in making:
            done += made
            yield Phase(name="class-images", done=done, total=total)
            yield from requests.obey_early()
    except OSError as error:
        raise explain(error, directory) from error


def _concept_items(config: RunConfig, folder: Path, concept: Concept, number: int, found: Scan) -> ConceptItems:
    instance = concept.instance
    items = [
        Item(picture.path, caption(instance_prompt(concept), picture, instance.identifier, instance.class_noun))
        for picture in found.pictures
    ]
    prior = []
    if concept.prior.images_per_instance:
        wanted = concept.prior.images_per_instance * len(items)
        prompt = class_prompt(concept)
        pictures = scan(class_directory(config, folder, number), decode=True).pictures[:wanted]
        for picture in pictures:
            template = "[filewords]" if picture.caption_file else prompt
            prior.append(Item(picture.path, caption(template, picture, instance.identifier, instance.class_noun)))
    return ConceptItems(concept_name(concept, number), tuple(items), instance.repeats, tuple(prior))


def _latents(
    dataset: Dataset, folder: Path, model: Model, settled: Settled, requests: Requests
) -> Generator[Event, None, LatentTable]:
    cache = LatentCache(folder / "cache", model.encode_image, model.vae_hash, scaling=model.scaling_factor)
    paths = [item.path for concept in dataset.concepts for item in concept.instance]
    paths += [item.path for concept in dataset.concepts for item in concept.prior]
    for done, total in cache.prepare(paths, settled.size):
        yield Phase(name="caching", done=done, total=total)
        yield from requests.obey_early()
    return cache.load(paths, settled.device)


def _starts(counts: Sequence[int], first: int) -> list[int]:
    return [first + sum(counts[:place]) for place in range(len(counts))]


def _data_hash(dataset: Dataset) -> str:
    """Of every picture's content and caption: a resumed run sees whether its data are still the same."""
    lines = [f"{concept.name} {concept.repeats}" for concept in dataset.concepts]
    for concept in dataset.concepts:
        lines += [f"{hash_file(item.path)} {item.caption}" for item in (*concept.instance, *concept.prior)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
