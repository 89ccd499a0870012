"""What comes before the first step, as a generator of events like the loop: model, class pictures, caches."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from core.config.options import Concept, RunConfig
from core.config.prompts import class_prompt, concept_name
from core.data.batches import BatchPlan
from core.data.dataset import Dataset
from core.data.scan import scan
from core.events import Event, Phase
from core.families.load import load_model
from core.families.model import Model
from core.files import explain
from core.machine import inspect_machine
from core.planning.class_pictures import class_folder, run_that_is_gone
from core.planning.learning import numbers_of, schedule_of
from core.planning.plan import Plan
from core.sampling.class_pictures import ClassPictures, generated_in
from core.sampling.denoising import SamplingSettings
from core.sampling.previews import Preview, previews_of
from core.training import attention, faults
from core.training.batches import Assembler
from core.training.conditioning import Conditioning
from core.training.data import augmentation, batch_plan, data_hash, dataset_of, learning
from core.training.device import Settled
from core.training.judging import Judge, judge_for
from core.training.optimization import Optimization
from core.training.precision import autocast, base_dtype
from core.training.ranks import Ranks
from core.training.requests import Requests
from core.training.start import Opening, left_out
from core.training.trained import Trained
from core.training.validation import FixedNoise


@dataclass(frozen=True)
class Prepared:
    """Everything that a run needs and that its steps do not change (but for the weights in `model`)."""

    model: Model
    dataset: Dataset
    batches: BatchPlan
    assembler: Assembler
    conditioning: Conditioning
    validate_instance: FixedNoise
    validate_prior: FixedNoise
    previews: tuple[Preview, ...]
    judge: Judge | None
    data_hash: str


def prepare(
    config: RunConfig, folder: Path, opening: Opening, requests: Requests, ranks: Ranks
) -> Generator[Event, None, Prepared]:
    """Load the source, make the missing class pictures, fill the caches; the VAE leaves the device afterwards.

    Of several ranks each loads the source; the first makes what is missing, and then the others find it.

    Raises `StopRequested` between pictures when a stop was asked for; what was made by then is kept.
    """
    material, settled = opening.material, opening.settled
    machine = inspect_machine()
    if machine.gpu and settled.device.type == "cpu":
        yield faults.gpu_unused(machine.gpu)
    yield Phase(name="loading")
    dtype = base_dtype(config.method, settled.precision, config.performance.weights)
    clip_skip = config.model.clip_skip
    model = load_model(material.source, device=settled.device, dtype=dtype, clip_skip=clip_skip)
    attention.use(model, settled.attention)
    requests.look_or_stop()

    for number, concept in enumerate(config.concepts):
        if concept.prior.images_per_instance:
            instances = len(material.scans[number].pictures)
            yield from ranks.first(
                partial(_class_pictures, config, folder, concept, number, instances, model, settled, requests), requests
            )

    dataset = dataset_of(config, folder, material.scans, resolution=settled.size, latent_factor=model.latent_factor)
    batches = batch_plan(config, dataset, opening.plan.images_per_step)
    found = yield from ranks.first(partial(learning, config, dataset, folder, model, settled, requests), requests)

    previews = previews_of(config, material.prompts, settled.size)
    prompts = [text for preview in previews for text in (preview.prompt, preview.negative_prompt)]
    seed, timesteps, offset = (
        config.performance.seed,
        len(model.schedule.alphas_cumprod),
        config.performance.offset_noise,
    )
    prepared = Prepared(
        model=model,
        dataset=dataset,
        batches=batches,
        assembler=Assembler(found.latents, found.masks, dataset, augmentation(config), timesteps=timesteps,
                            offset_noise=offset, seed=seed),
        conditioning=Conditioning(
            model, [item.caption for item in dataset.items], prompts, settled.device, seed=seed,
            shuffles=config.images.shuffle_tags, drops=config.images.caption_dropout > 0,
        ),
        validate_instance=FixedNoise(
            found.latents, found.masks, dataset, dataset.instance_cuts, purpose="validate-instance",
            timesteps=timesteps, seed=seed, precision=settled.precision,
        ),
        validate_prior=FixedNoise(
            found.latents, found.masks, dataset, dataset.prior_cuts, purpose="validate-prior",
            timesteps=timesteps, seed=seed, precision=settled.precision,
        ),
        previews=previews,
        judge=judge_for(config) if previews else None,
        data_hash=data_hash(dataset, model),
    )  # fmt: skip
    if ranks.count > 1 and not ranks.alike(f"{prepared.data_hash} {_glimpse(model)}"):
        raise faults.other_material()
    return prepared


def _glimpse(model: Model) -> str:
    """One number of each weight of the U-Net, exactly: enough to tell another model's apart."""
    firsts = torch.stack([weight.flatten()[0].float() for weight in model.unet.state_dict().values()])
    return str(firsts.tolist())


def build_optimization(config: RunConfig, settled: Settled, plan: Plan, trained: Trained) -> Optimization:
    """The optimizer of what is trained from now on, with the rates of the configuration."""
    rate = config.rate
    text_rate = config.performance.text_encoder_rate or rate
    return Optimization(
        trained.components,
        optimizer=settled.optimizer,
        numbers=numbers_of(config, settled.optimizer),
        rates={name: rate if name == "unet" else text_rate for name in trained.components},
        schedule=schedule_of(config.learning_rate, plan.steps, plan.warmup),
        max_grad_norm=config.performance.max_grad_norm,
        seed=config.performance.seed,
    )


def _class_pictures(
    config: RunConfig, folder: Path, concept: Concept, number: int, instances: int, model: Model, settled: Settled,
    requests: Requests,
) -> Generator[Event, None, None]:  # fmt: skip
    directory = class_folder(config, folder, number)
    if concept.prior.directory and (gone := run_that_is_gone(concept.prior.directory, folder.parent)):
        yield faults.class_folder_gone(concept.prior.directory, gone)
    present = 0
    if directory.is_dir():
        found = scan(directory, decode=True)
        present = len(found.pictures)
        if found.refused:
            yield left_out(found)
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
