"""The source model: that there is one, that it is what was said, and the size it trains at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from core.config.findings import Finding, Fix, Level
from core.config.options import RunConfig
from core.demo.source import DEMO, PICTURES, is_demo
from core.families import FAMILIES
from core.families.single_file import Undecided
from core.planning.checks.pictures import meant
from core.planning.facts import Facts
from core.texts import UserError, either, message

GRID = 8
"""The U-Net halves its input three times: the latents' sides must divide by 8."""
USUAL_FACTOR = 8
"""Pixels for each latent in every Stable Diffusion."""


def source(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """There must be a source, and it must be readable."""
    if not config.model.source.strip():
        yield Finding(Level.ERROR, "model.source", message(
            "source.none", "No source model is chosen.",
            mend="Name a diffusers folder, a .safetensors or .ckpt file, a hub id such as owner/name, or demo."),
            (Fix(message("fix.demo", "Try the small model that comes with the program"),
                 {"model.source": DEMO}),))  # fmt: skip
    elif isinstance(facts.source, UserError):
        level = Level.HINT if facts.source.code == "source.not-downloaded" else Level.ERROR
        yield Finding(level, "model.source", facts.source.message, tuple(_ways_out(facts.source)))


def _ways_out(problem: UserError) -> Iterator[Fix]:
    yield from meant(problem, "model.source")
    if isinstance(problem, Undecided):
        for name in problem.families:
            yield Fix(message("fix.family-is", "It is {family} ({resolution} px)", family=FAMILIES[name].title,
                              resolution=FAMILIES[name].resolution), {"model.family": name})  # fmt: skip


def family(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """What was chosen must be what the weights are."""
    found = facts.description
    if found is not None and config.model.family not in ("auto", found.family):
        yield Finding(Level.ERROR, "model.family", message(
            "family.wrong", "The family is set to {chosen}, but the weights in {source} are {found}.",
            mend="Set the family to auto, or choose another source.",
            chosen=config.model.family, found=found.family, source=config.model.source),
            (Fix(message("fix.family", "Read the family from the weights"), {"model.family": "auto"}),))  # fmt: skip


def demo(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """The small model shows how training goes; what it has room for is drawings, not somebody's photographs."""
    strange = [concept.instance.directory for concept in config.concepts
               if PICTURES not in Path(concept.instance.directory).parents]  # fmt: skip
    if is_demo(config.model.source) and any(directory.strip() for directory in strange):
        yield Finding(Level.WARNING, "model.source", message(
            "source.demo-only", "The small model of the program is for trying out: it draws 64 px pictures like emoji "
            "and hardly learns photographs.",
            mend="For a subject of your own choose a Stable Diffusion model."))  # fmt: skip


REMOTE = {"revision": "source.revision-unused", "variant": "source.variant-unused"}


def remote_options(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Revision and variant belong to hub ids."""
    if not facts.local_source or facts.local_source != config.model.source:
        return
    for option in ("revision", "variant"):
        value = getattr(config.model, option)
        if value:
            yield Finding(Level.WARNING, f"model.{option}", message(
                REMOTE[option], "The hub {option} {value} does nothing: {source} is on this computer.",
                mend="Leave it empty.", option=option, value=value, source=config.model.source),
                (Fix(message("fix.empty", "Leave it empty"), {f"model.{option}": ""}),))  # fmt: skip


def resolution(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """On the grid of the networks, and the size the source was made for."""
    asked = config.model.resolution
    if asked == "auto":
        return
    found = facts.description
    step = GRID * (found.latent_factor if found else USUAL_FACTOR)
    if asked % step:
        sizes = sorted({max(step, asked // step * step), (asked // step + 1) * step})
        yield Finding(Level.ERROR, "model.resolution", message(
            "resolution.grid", "A resolution of {asked} px does not fit this model: it takes multiples of {step} px.",
            mend="Take {sizes} px.", asked=asked, step=step, sizes=either(sizes)),
            tuple(_resolution(size) for size in sizes))  # fmt: skip
    elif found is not None and asked != found.native_resolution:
        yield Finding(Level.WARNING, "model.resolution", message(
            "resolution.not-native", "{asked} px is not the size this source was made for ({native} px): other sizes "
            "learn more slowly and repeat or crop the subject.",
            mend="Take {native} px, or auto.", asked=asked, native=found.native_resolution),
            (_resolution(found.native_resolution),))  # fmt: skip


def vae(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """The VAE in the source's place can be read and fits."""
    if facts.vae_problem is not None:
        yield Finding(Level.ERROR, "model.vae", facts.vae_problem.message, (
            Fix(message("fix.own-vae", "Use the source's own"), {"model.vae": ""}),))  # fmt: skip


def clip_skip(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Where the family names the text layer itself there is nothing to choose, and no encoder has less than one."""
    asked, found = config.model.clip_skip, facts.description
    if asked == 1 or found is None:
        return
    fixes = (Fix(message("fix.clip-skip", "Use the usual layer"), {"model.clip_skip": 1}),)
    encoders = FAMILIES[found.family].encoders
    layers = min(int(found.configs[encoder.component]["num_hidden_layers"]) for encoder in encoders)
    if any(encoder.penultimate for encoder in encoders):
        yield Finding(Level.ERROR, "model.clip_skip", message(
            "clip-skip.fixed", "{family} always uses the layer before the last of its text encoders: clip skip does "
            "nothing there.", mend="Set it to 1.", family=FAMILIES[found.family].title), fixes)  # fmt: skip
    elif asked > layers:
        yield Finding(Level.ERROR, "model.clip_skip", message(
            "clip-skip.layers", "The text encoder of {source} has {layers} layers; a clip skip of {asked} is before "
            "the first.", mend="1 or 2 is usual.", source=found.source, layers=layers, asked=asked), fixes)  # fmt: skip


CHECKS = (source, family, demo, remote_options, resolution, vae, clip_skip)


def _resolution(size: int) -> Fix:
    return Fix(message("fix.resolution", "Train at {size} px", size=size), {"model.resolution": size})
