"""What the demo says of itself, wherever it is watched: a first-timer shall understand what she sees."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.choices.adapters import WHOLE
from core.demo.source import SUBJECT, is_demo
from core.texts import Texts, say
from dbtui.commandline import command_line

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.runs.folder import Run

SAYS = Texts("demo.says", {
    "loading": "A small Stable Diffusion that comes with the program learns a new dog from six pictures. It is "
    "called sks: a word that means nothing yet. Loading takes some seconds.",
    "loading-on": "It goes on from where it was. Loading takes some seconds.",
    "class-images": "First it draws plain dogs. They are trained along with the new one, so that “a dog face” keeps "
    "its meaning: that is prior preservation.",
    "caching": "Every picture is compressed once, so that each step is quick.",
    "before": "Before it learns: sks means nothing, so left and right are plain dogs.",
    "training": "Left: “a sks dog face” becomes the new dog. Right: “a dog face”, from the same noise, stays a plain "
    "dog.",
    "training-alone": "Left: “a sks dog face” becomes the new dog. Right: no class pictures hold “a dog face”, so "
    "watch it drift.",
    "done": "It has learned a new dog, and a plain dog is still a plain dog. To see what the class pictures are for, "
    "run the demo without them: h for your runs, t for the demo, w for “without”.",
    "done-printed": "It has learned a new dog, and a plain dog is still a plain dog. What the class pictures are "
    "for is seen where they are missing: the command behind “Compare” runs the demo without them.",
    "done-alone": "It has learned a new dog, and “a dog face” has drifted: class pictures prevent that.",
})  # fmt: skip
"""What goes on, in one or two sentences; `-alone` is without class pictures, `-printed` where there are no keys."""
PROMPT = "a sks dog face on a purple background"
"""Something that none of the six pictures shows."""


@dataclass(frozen=True)
class Demo:
    """A run of the demo, with class pictures (`prior`) or without."""

    prior: bool

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Of the new dog."""
        return tuple(sorted(SUBJECT.glob("*.png")))

    def says(self, state: str, step: int) -> str:
        """What goes on, in one or two sentences; `state` as `History` has it."""
        alone = "" if self.prior else "-alone"
        if state in ("new", "loading", "downloading"):
            return SAYS["loading-on" if step else "loading"]
        if state in ("class-images", "caching"):
            return SAYS[state]
        if state == "done":
            return SAYS[f"done{alone}"]
        return SAYS[f"training{alone}"] if step else SAYS["before"]


def demo_of(folder: Path) -> Demo | None:
    """Whether the run in `folder` is one of the demo; `None` for any other, and where its `run.toml` is damaged."""
    try:
        held = tomllib.loads((folder / "run.toml").read_text(encoding="utf-8"))
        concept = held["concepts"][0]
        if not is_demo(held["model"]["source"]) or Path(concept["instance"]["directory"]) != SUBJECT:
            return None
        return Demo(prior=concept["prior"]["images_per_instance"] > 0)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def draws_in_dbtui_alone(config: RunConfig) -> bool:
    """Whether no other program can load what was trained: the demo's model is a toy of a shape of its own."""
    return is_demo(config.model.source)


def why_alone() -> str:
    return say("using.demo.why", "The demo's model is a toy, made to show how learning works: A1111, Forge and ComfyUI "
               "cannot load it, whatever it is exported as. What you train from a Stable Diffusion works "
               "there.")  # fmt: skip


def draw_with(run: Run, path: Path, config: RunConfig) -> str:
    """The command that draws the subject of `run` with the export at `path`. What the run learned last is drawn with by
    its name, and so is what holds no whole model.
    """
    from core.config.prompts import sample_prompt

    words = shlex.quote(sample_prompt(config.concepts[0]))
    if draws_with_newest(run, path) or config.method != WHOLE:
        return command_line(f"generate {run.name} --prompt {words}", run.home)
    guidance = config.concepts[0].sample.guidance_scale
    return f"dbtui generate {shlex.quote(str(path))} --prompt {words} --guidance {guidance:g}"


def draws_with_newest(run: Run, path: Path) -> bool:
    """Whether the export at `path` holds what the run learned last, as far as it says."""
    from core.export.there import step_of
    from core.runs.folder import saved_steps

    step = step_of(path)
    return step is None or step == max(saved_steps(run.path), default=step)


def draw_more(name: str, home: Path) -> str:
    """The command that draws with the run called `name`."""
    return command_line(f'generate {name} --prompt "{PROMPT}"', home)
