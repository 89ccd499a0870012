"""What is known of a run before any network is loaded: its source, its pictures, its plan, the event that opens it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from core.config.options import RunConfig
from core.config.prompts import PromptPair
from core.config.runfile import fingerprint
from core.data.scan import Scan, scan
from core.data.templates import preview_prompts
from core.events import Event, Phase, RunStarted, Warned
from core.families import hub
from core.families.describe import SourceDescription, describe
from core.machine import inspect_machine
from core.planning.facts import Facts
from core.planning.plan import Plan, make_plan
from core.texts import UserError, counted, listed, noted, path_in_words
from core.training import faults
from core.training.checkpoints import TrainingState, newest_checkpoint, read_state
from core.training.device import Settled, device_of, give_way, settle, use_threads, versions
from core.training.faults import warning
from core.training.ranks import Ranks
from core.training.requests import Requests


@dataclass(frozen=True)
class Material:
    """What a run learns from, before any network is loaded: the source's description, each concept's pictures, and
    what its previews show.
    """

    source: SourceDescription
    scans: tuple[Scan, ...]
    prompts: tuple[tuple[PromptPair, ...], ...]


@dataclass(frozen=True)
class Opening:
    """A run on its way: its material, the newest whole state (`found` is its folder), what `auto` became, its plan."""

    material: Material
    found: Path | None
    state: TrainingState | None
    settled: Settled
    plan: Plan


def open_run(
    config: RunConfig, folder: Path, resume: bool, requests: Requests, ranks: Ranks
) -> Generator[Event, None, Opening]:
    """Everything that is known before a network is loaded, the same in all ranks; says what the run will be."""
    material = yield from ranks.first(lambda: gather(config, requests), requests)
    damages: list[UserError] = []
    place = folder / "checkpoints"
    newest = ranks.told(
        lambda: path.name if resume and (path := newest_checkpoint(place, damages.append)) else None, requests
    )
    found = place / newest if newest else None
    state = read_state(found) if found else None
    native, threads = material.source.native_resolution, state.threads if state else None
    values = ranks.told(lambda: settle(config, native, threads, ranks.place).values(), requests)
    settled = Settled(device_of(ranks.place), **values)
    use_threads(settled.threads)
    if settled.device.type == "cpu":
        give_way()
    plan = plan_run(config, material, ranks.count, state.batch if state else None)
    yield started(config, material.source, settled, plan, state)
    if state and state.processes != plan.processes:
        yield faults.other_processes(state.step, state.processes, plan.processes)
    for damage in damages:
        yield Warned(code=damage.code, message=str(damage.message))
    return Opening(material, found, state, settled, plan)


def gather(config: RunConfig, requests: Requests) -> Generator[Event, None, Material]:
    """Describe the source, downloaded first where it is a hub id that is not here, and look at every picture.

    Raises `UserError` for what cannot be read at all, and `StopRequested`.
    """
    model = config.model
    try:
        source = describe(model.source, model.revision, model.variant, family=model.family, vae=model.vae)
    except UserError as error:
        if error.code != "source.not-downloaded":
            raise
        yield Phase(name="downloading")
        hub.download(model.source, model.revision, model.variant, while_waiting=requests.look_or_stop)
        source = describe(model.source, model.revision, model.variant, family=model.family, vae=model.vae)
    scans = tuple(scan(Path(concept.instance.directory).expanduser(), decode=True) for concept in config.concepts)
    for concept, found in zip(config.concepts, scans, strict=True):
        if found.refused and not concept.instance.leave_out_unreadable:
            raise UserError("data.unreadable", "{count} in {directory} cannot be read: {names}.",
                            mend="Mend or remove them, or turn on Leave out unreadable pictures "
                            "(instance.leave_out_unreadable).",
                            count=counted(len(found.refused), "file"), directory=path_in_words(found.directory),
                            names=_refused_names(found))  # fmt: skip
        if not found.pictures:
            raise UserError("data.no-pictures", "There are no pictures to learn from in {directory}.",
                            mend="Put three or more pictures into the folder, or name another one.",
                            directory=path_in_words(found.directory))  # fmt: skip
        if found.refused:
            yield left_out(found)
    prompts = tuple(
        preview_prompts(concept, found.pictures) for concept, found in zip(config.concepts, scans, strict=True)
    )
    return Material(source, scans, prompts)


def plan_run(config: RunConfig, material: Material, processes: int, batch: int | None) -> Plan:
    """The counts of the run, as `check` and the wizard show them, for so many processes. `batch` is what a saved state
    says of the pictures in each update: the run keeps it.

    Raises `UserError` where there is nothing to do, or an update does not divide among the processes.
    """
    lines = tuple(tuple(pair.subject for pair in prompts) for prompts in material.prompts)
    plan = make_plan(config, Facts(scans=material.scans, source=material.source, machine=inspect_machine(),
                                   preview_prompts=lines, processes=processes, batch=batch))  # fmt: skip
    if plan is None:
        raise UserError("data.nothing-to-do", "There are too few pictures for a single step.",
                        mend="Add pictures, or make Batch size (batch.size) and Gradient accumulation "
                        "(batch.accumulation) smaller.")  # fmt: skip
    if plan.images_per_step % processes:
        raise faults.not_shared(plan.images_per_step, processes)
    return plan


def started(
    config: RunConfig, source: SourceDescription, settled: Settled, plan: Plan, state: TrainingState | None
) -> RunStarted:
    """The event that opens a life of the run. It goes on exactly as it would have where nothing that the numbers
    depend on has changed since `state`.
    """
    now = (fingerprint(config), settled.name, settled.precision, plan.steps, versions(), plan.processes)
    then = (
        (state.config_hash, state.device, state.precision, state.total_steps, state.versions, state.processes)
        if state
        else now
    )
    return RunStarted(
        config_hash=fingerprint(config),
        versions=versions(),
        device=settled.name,
        total_steps=plan.steps,
        steps_per_epoch=plan.steps_per_epoch,
        resumed_from=state.step if state else None,
        exact=now == then and settled.device.type == "cpu",
        settled={
            "family": source.family,
            "precision": settled.precision,
            "optimizer": settled.optimizer,
            "attention": settled.attention,
            "resolution": settled.size,
            "threads": settled.threads,
            "text_encoder_steps": plan.text_encoder_steps,
            "source_commit": source.commit,
            "processes": plan.processes,
        },
    )


def left_out(found: Scan) -> Warned:
    """That some files of a folder are not used, each with its reason."""
    return warning(
        "data.left-out",
        "{count} in {directory} cannot be read and left out: {names}.",
        count=counted(len(found.refused), "file"), directory=path_in_words(found.directory),
        names=_refused_names(found),
    )  # fmt: skip


def _refused_names(found: Scan) -> str:
    names = (path_in_words(refused.path.name) for refused in found.refused)
    reasons = (refused.reason.text.rstrip(".。") for refused in found.refused)
    return listed(noted(name, reason) for name, reason in zip(names, reasons, strict=True))
