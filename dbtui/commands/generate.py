"""`dbtui generate`: pictures from a run's newest state, an export or a source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.options import RunConfig
from core.demo.preset import chosen
from core.demo.source import DEMO, MODEL, is_demo
from core.families import hub
from core.families.describe import SourceDescription, describe
from core.files import probe_writable
from core.machine import inspect_machine
from core.planning.checks.words import not_english
from core.runs.folder import Run, is_run, is_run_name, runs_directory
from core.seeds import fresh_seed
from core.texts import UserError, counted, say
from dbtui.boundary import DONE, complain
from dbtui.printing import print_lines
from dbtui.safe import safe, safe_message

if TYPE_CHECKING:
    from core.families.model import Model


def generate_pictures(
    target: str,
    home: Path,
    *,
    prompts: Sequence[str],
    negative: str,
    seed: int | None,
    steps: int,
    guidance: float | None,
    count: int,
    output: Path,
) -> int:
    """Make `count` pictures of each prompt in the folder `output`; prints their paths. Raises `UserError`.

    A run's name goes before a path, and before `demo`, the embedded model, which its folder names for sure.
    """
    run = Run(home, target) if is_run_name(target) and is_run(runs_directory(home) / target) else None
    source, size = _source_of_run(run) if run is not None else _source(target, home)
    probe_writable(output)
    for text in (*prompts, negative):
        if unread := not_english(text):
            complain(safe_message(unread))
    # torch is imported from here on, when everything that can be refused quickly was refused
    from core.choices import precisions
    from core.families.load import load_model
    from core.sampling.denoising import SamplingSettings
    from core.sampling.generate import Order, generate
    from core.training.precision import autocast

    state = _newest_state(run) if run is not None else None
    complain(safe(_loading(run, source)))
    machine = inspect_machine()
    clip_skip = run.config().model.clip_skip if run is not None else 1
    model = load_model(source, device=machine.device, clip_skip=clip_skip)
    step = _load_state(state, model, run.config()) if run is not None and state is not None else None
    first = fresh_seed() if seed is None else seed
    guidance = _usual_guidance(run, source) if guidance is None else guidance
    order = Order(prompts, negative, first, count, SamplingSettings(guidance_scale=guidance, steps=steps, size=size))
    precision = precisions.settle("auto", machine.device, machine.knows_bf16)
    context = autocast(precision, next(model.unet.parameters()).device)
    title = model.title if run is None else run.name
    for path in generate(model, order, output, title=title, step=step, autocast=context, on_step=lambda: None):
        print_lines(path)
    complain(say("generate.done", "{pictures}, seeds from {seed}.", pictures=counted(len(prompts) * count, "picture"),
                 seed=first))  # fmt: skip
    return DONE


def _loading(run: Run | None, source: SourceDescription) -> str:
    """What is drawn with: a run may have the name of another thing."""
    if run is not None:
        return say("generate.loading-run", "Loading the run {name} ({folder}) …", name=run.name, folder=run.path)
    if is_demo(source.source):
        return say("generate.loading-demo", "Loading the small model that comes with the program …")
    return say("generate.loading", "Loading {name} …", name=source.path)


def _source(target: str, home: Path) -> tuple[SourceDescription, int]:
    if Path(target).expanduser().resolve() == MODEL.resolve():
        target = DEMO
    if not is_demo(target) and not Path(target).expanduser().exists():
        if not hub.is_hub_id(target):
            raise UserError("generate.unknown", "{target} is neither a run in {folder} nor a file or folder.",
                            mend="`dbtui runs` lists the runs; otherwise name an export, a source or demo.",
                            target=target, folder=runs_directory(home))  # fmt: skip
        _fetch(target)
    source = describe(target)
    return source, source.native_resolution


def _source_of_run(run: Run) -> tuple[SourceDescription, int]:
    config = run.config()
    model = config.model
    source = describe(model.source, model.revision, model.variant, family=model.family, vae=model.vae)
    resolution = config.model.resolution
    return source, source.native_resolution if resolution == "auto" else resolution


def _usual_guidance(run: Run | None, source: SourceDescription) -> float:
    """As the previews of the run were made; for the demo's model what suits it; else the usual."""
    config = run.config() if run is not None else chosen(RunConfig(), source=source.source)
    return config.concepts[0].sample.guidance_scale


def _fetch(repository: str) -> None:
    """Download a hub id unless it is here already."""
    try:
        hub.find(repository)
    except UserError:
        complain(safe(say("generate.downloading", "Downloading {name} …", name=repository)))
        hub.download(repository)


def _newest_state(run: Run) -> Path:
    """The run's newest whole state."""
    from core.training.checkpoints import newest_checkpoint

    state = newest_checkpoint(run.checkpoints, on_damage=lambda damage: complain(safe_message(damage.message)))
    if state is None:
        raise UserError("generate.nothing-saved", "{name} has no saved state yet.",
                        mend="Save one with `dbtui save {name}` while it trains.", name=run.name)  # fmt: skip
    return state


def _load_state(state: Path, model: Model, config: RunConfig) -> int:
    """Put a saved state into the networks; returns its step."""
    from core.adapters.kind import kind_of
    from core.training.checkpoints import held_components, load_weights, read_state
    from core.training.trained import trained_of

    kind = kind_of(config.lora, tuple(model.text_encoders))
    load_weights(state, trained_of(model, held_components(state), kind, seed=config.performance.seed))
    return read_state(state).step
