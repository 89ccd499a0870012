"""Looks at the disk, the source and the machine, so that everything after it is pure."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from core.choices.attention import ATTENTIONS
from core.choices.optimizers import OPTIMIZERS
from core.choices.tracking import TENSORBOARD, WANDB, signed_in
from core.config.options import RunConfig
from core.config.prompts import concept_name
from core.config.settle import absolute, exists
from core.data.captions import file_words
from core.data.scan import Picture, Scan, scan
from core.data.templates import preview_prompts
from core.demo.source import is_demo
from core.families.describe import SourceDescription, describe
from core.families.other_vae import with_vae
from core.files import explain, free_bytes, probe_writable
from core.machine import inspect_machine
from core.place import ALONE, Place
from core.planning.class_pictures import made_in, run_that_is_gone
from core.planning.facts import Facts
from core.texts import Message, UserError, path_in_words


def survey(config: RunConfig, home: Path, *, decode: bool, resuming: bool = False, place: Place = ALONE) -> Facts:
    """Everything the checks ask for. Never raises for what a person can cause: that is in the facts as an error.

    With `decode` every picture is decoded whole; without it only headers are read. `resuming`: the run exists and
    goes on, so its name is its own and its class pictures count. `place`: which of several processes this one is.
    """
    run = home / "runs" / config.model.name if resuming and config.model.name else None
    scans = tuple((None if resuming else _runs_within(concept.instance.directory, home))
                  or _look(concept.instance.directory, decode) for concept in config.concepts)  # fmt: skip
    source, vae_problem = _describe(config)
    names = frozenset() if resuming else _names(home)
    gone = dict(_class_folders_gone(config, home))
    return Facts(
        names_in_use=names,
        not_runs=frozenset(name for name in names if not exists(str(home / "runs" / name / "run.toml"))),
        scans=scans,
        prior_scans=tuple(_prior_scans(config, run, gone, decode)),
        class_folders_gone=gone,
        class_pictures=() if resuming else tuple(made_in(home)),
        words={picture.path: _words(picture) for found in scans if isinstance(found, Scan)
               for picture in found.pictures},
        preview_prompts=tuple(_preview_prompts(config, scans)),
        mask_problems=dict(_mask_problems(scans)) if decode and config.images.mask else {},
        resolved=dict(_resolved(config)),
        source=source,
        vae_problem=vae_problem,
        local_source=config.model.source if _is_here(config.model.source) else "",
        machine=inspect_machine(all_cards=True),
        missing_modules=frozenset(module for module in _modules() if importlib.util.find_spec(module) is None),
        signed_in=signed_in(),
        versions=dict(_versions()),
        processes=place.count,
        processes_here=place.local_count,
        batch=_batch_of(run) if run is not None else None,
        free_bytes=_free(home),
        held_bytes=_held(run) if run is not None else 0,
        home_problem=_problem(home),
    )  # fmt: skip


def _modules() -> Iterator[str]:
    """Every module that some choice needs."""
    yield from (module for optimizer in OPTIMIZERS.values() for module in optimizer.needs)
    yield from (WANDB, TENSORBOARD)


def _versions() -> Iterator[tuple[str, str]]:
    for attention in ATTENTIONS.values():
        if attention.needs:
            with suppress(PackageNotFoundError):
                yield attention.needs, version(attention.needs)


def _look(directory: str, decode: bool) -> Scan | UserError | None:
    if not directory.strip():
        return None
    try:
        return scan(absolute(directory), decode=decode)
    except UserError as error:
        return error


def _class_folders_gone(config: RunConfig, home: Path) -> Iterator[tuple[str, str]]:
    for directory in (concept.prior.directory for concept in config.concepts):
        with suppress(UserError):  # no path at all: the scan says so
            if directory.strip() and (name := run_that_is_gone(directory, home / "runs")):
                yield directory, name


def _runs_within(directory: str, home: Path) -> UserError | None:
    """Why a folder that holds the runs themselves is none of pictures: all that they made would be learned."""
    runs = home / "runs"
    if not directory.strip():
        return None
    with suppress(OSError, RuntimeError, ValueError, UserError):  # it lies elsewhere, or the scan says what is wrong
        within = runs.resolve(strict=True).relative_to(absolute(directory).resolve())
        if not any(part.startswith(".") for part in within.parts):
            return UserError(
                "pictures.runs-within", "The runs of dbtui lie in this folder ({runs}): what they made would be "
                "learned as your subject.", mend="Choose the folder of your pictures alone.", runs=path_in_words(runs),
            )  # fmt: skip
    return None


def _prior_scans(
    config: RunConfig, run: Path | None, gone: Mapping[str, str], decode: bool
) -> Iterator[Scan | UserError | None]:
    for number, concept in enumerate(config.concepts):
        directory = "" if concept.prior.directory in gone else concept.prior.directory
        if not directory and run is not None:
            made = run / "class" / concept_name(concept, number)
            directory = str(made) if made.is_dir() else ""
        yield _look(directory, decode)


def _words(picture: Picture) -> str | UserError:
    try:
        return file_words(picture)
    except UserError as error:
        return error


def _mask_problems(scans: tuple[Scan | UserError | None, ...]) -> Iterator[tuple[Path, Message]]:
    from core.data.pictures import open_mask

    for picture in (picture for found in scans if isinstance(found, Scan) for picture in found.pictures):
        try:
            if picture.mask_file is not None:
                open_mask(picture.path, picture.mask_file)
        except UserError as error:
            yield picture.path, error.message


def _resolved(config: RunConfig) -> Iterator[tuple[str, Path]]:
    for concept in config.concepts:
        for directory in (concept.instance.directory, concept.prior.directory):
            if directory.strip():
                with suppress(OSError, RuntimeError, UserError):  # no path at all, or a loop: the scan has said so
                    yield directory, absolute(directory).resolve()


def _describe(config: RunConfig) -> tuple[SourceDescription | UserError | None, UserError | None]:
    """The source, with the other VAE where that can be used, and why it cannot."""
    model = config.model
    if not model.source.strip():
        return None, None
    try:
        source = describe(model.source, model.revision, model.variant, family=model.family)
    except UserError as error:
        return error, None
    try:
        return (with_vae(source, model.vae) if model.vae.strip() else source), None
    except UserError as error:
        return source, error


def _preview_prompts(
    config: RunConfig, scans: tuple[Scan | UserError | None, ...]
) -> Iterator[tuple[str, ...] | UserError]:
    for concept, found in zip(config.concepts, scans, strict=True):
        pictures = found.pictures if isinstance(found, Scan) else ()
        try:
            yield tuple(pair.subject for pair in preview_prompts(concept, pictures))
        except UserError as error:
            yield error


def _is_here(source: str) -> bool:
    return is_demo(source) or bool(source and exists(source))


def _names(home: Path) -> frozenset[str]:
    try:
        return frozenset(path.name for path in (home / "runs").iterdir() if not path.name.startswith("."))
    except OSError:
        return frozenset()  # no runs yet; a home that cannot be used is a finding of its own


def _free(home: Path) -> int | None:
    try:
        return free_bytes(home)
    except OSError:
        return None  # said by `_problem`


def _problem(home: Path) -> UserError | None:
    try:
        probe_writable(home)
    except UserError as error:
        return error
    except OSError as error:
        return explain(error, home)
    return None


def state_of(run: Path) -> dict[str, Any]:
    """What the newest saved state in this run's folder says beside its tensors; nothing where it cannot be read."""
    states = sorted((run / "checkpoints").glob("step-*/state.json"), key=lambda path: (len(path.parent.name), path))
    try:
        state = json.loads(states[-1].read_text()) if states else {}
    except (OSError, ValueError):
        return {}  # whoever resumes it says what is wrong with it
    return state if isinstance(state, dict) else {}


def _batch_of(run: Path) -> int | None:
    """The pictures of each update, as the newest saved state tells them."""
    batch = state_of(run).get("batch")
    return batch if isinstance(batch, int) and batch > 0 else None


def _held(run: Path) -> int:
    return sum(path.lstat().st_size for path in run.rglob("*") if path.is_file() and not path.is_symlink())
