"""The one table of every option: name, type, default, range, unit, title and help.

The form, the comments in `run.toml`, `--set`, `dbtui options` and the docs are drawn from these models. An option
that stands here and is not obeyed is a defect.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.choices.formats import EXPORT_FORMATS
from core.choices.optimizers import OPTIMIZERS
from core.choices.precisions import PRECISIONS
from core.choices.schedulers import SCHEDULERS

FAMILY_NAMES = ("sd1",)
LONGEST_NAME = 64
NAME_PATTERN = rf"[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}"


class Section(BaseModel):
    """A table of `run.toml`: values only, unknown keys refused, never changed after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def option(
    default: Any,
    title: str,
    help: str,  # noqa: A002 - the field's own word
    *,
    unit: str = "",
    more: bool = False,
    choices: tuple[str, ...] = (),
    kind: str = "",
    **limits: Any,
) -> Any:
    """One option. `more` puts it behind "more" in the form; `kind` is path, directory, prompt or empty."""
    extra: Any = {"unit": unit, "more": more, "choices": choices, "kind": kind}
    if isinstance(default, type) and issubclass(default, BaseModel):
        return Field(default_factory=default, title=title, description=help, json_schema_extra=extra)
    return Field(default=default, title=title, description=help, json_schema_extra=extra, **limits)


def _one_of(*names: str) -> Any:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return value

    return AfterValidator(check)


def _warmup(value: int | str) -> int | str:
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, int):
        if value < 0:
            raise ValueError("0 or more")
        return value
    if not re.fullmatch(r"\d{1,3}(\.\d+)?%", value.strip()) or float(value.strip().rstrip("%")) > 100:
        raise ValueError('a number of updates, or a share of the run such as "10%"')
    return value.strip()


def _run_name(value: str) -> str:
    if value and not (re.fullmatch(NAME_PATTERN, value) and not value.startswith(("-", "."))):
        raise ValueError("letters, digits, - _ and . (at most 64, not starting with - or .)")
    return value


def _resolution(value: int | str) -> int | str:
    if isinstance(value, int) and not 8 <= value <= 4096:
        raise ValueError("between 8 and 4096")
    return value


OPTIMIZER_CHOICES = ("auto", *OPTIMIZERS)
PRECISION_CHOICES = ("auto", *PRECISIONS)
FAMILY_CHOICES = ("auto", *FAMILY_NAMES)

RunName = Annotated[str, AfterValidator(_run_name)]
Warmup = Annotated[int | str, AfterValidator(_warmup)]
Resolution = Annotated[int | Literal["auto"], AfterValidator(_resolution)]
OptimizerName = Annotated[str, _one_of(*OPTIMIZER_CHOICES)]
PrecisionName = Annotated[str, _one_of(*PRECISION_CHOICES)]
FamilyName = Annotated[str, _one_of(*FAMILY_CHOICES)]
SchedulerName = Annotated[str, _one_of(*SCHEDULERS)]
FormatName = Annotated[str, _one_of(*EXPORT_FORMATS)]


class ModelOptions(Section):
    name: RunName = option("", "Run name", "The folder of the run and, unless you say otherwise, of the exported file.")
    source: str = option(
        "", "Source model", "What you start from: a .safetensors or .ckpt file of Stable Diffusion 1, a folder "
        "that diffusers wrote, or the name of one on the Hugging Face hub, for example "
        "stable-diffusion-v1-5/stable-diffusion-v1-5 (4 GB, downloaded when the run starts). demo is the small model "
        "that comes with the program: a minute on any computer.", kind="path",
    )  # fmt: skip
    family: FamilyName = option(
        "auto", "Family", "Which Stable Diffusion it is. auto reads it from the weights; a wrong choice is refused.",
        choices=FAMILY_CHOICES, more=True,
    )  # fmt: skip
    revision: str = option("", "Hub revision", "Branch, tag or commit of a hub id. Empty: its main branch.", more=True)
    variant: str = option("", "Hub variant", "Which files of a hub id, for example fp16. Empty: the plain ones.",
                          more=True)  # fmt: skip
    resolution: Resolution = option(
        "auto", "Resolution", "Side of the training pictures. auto: the size the model was made for (512 px for "
        "Stable Diffusion 1).", unit="px", more=True,
    )  # fmt: skip


class InstanceOptions(Section):
    directory: str = option(
        "", "Your pictures", "The folder with the pictures of your subject, read with its subfolders. Three to "
        "twenty good ones are enough.", kind="directory",
    )  # fmt: skip
    identifier: str = option(
        "", "Identifier", "A rare word that will mean your subject, for example sks or ohwx. You write it in prompts "
        "afterwards.",
    )  # fmt: skip
    class_noun: str = option(
        "", "Class", "What your subject is, in one or two words: dog, alarm clock, woman, watercolor painting.",
    )  # fmt: skip
    prompt: str = option(
        "a {identifier} {class}", "Caption", "What each picture shows. {identifier} and {class} are filled in; "
        "[filewords] takes the words from the picture's .txt file or its name.", kind="prompt",
    )  # fmt: skip
    leave_out_unreadable: bool = option(
        False, "Leave out unreadable pictures", "Train without the pictures that cannot be read. Off: a damaged "
        "picture is an error, so that none is lost unnoticed.", more=True,
    )  # fmt: skip
    repeats: int = option(
        1, "Repeats", "How often each picture counts in an epoch; balances concepts of different size.",
        unit="times", more=True, ge=1, le=1000,
    )  # fmt: skip


class PriorOptions(Section):
    images_per_instance: int = option(
        0, "Class pictures for each of yours", "Prior preservation: this many pictures of the plain class for each "
        "of your pictures keep the model from forgetting it. 0 turns it off; 2 to 5 is usual for faces and things.",
        unit="images", ge=0, le=1000,
    )  # fmt: skip
    directory: str = option(
        "", "Class pictures folder", "Pictures of the class that you already have; only the missing ones are "
        "generated. Empty: inside the run.", kind="directory", more=True,
    )  # fmt: skip
    prompt: str = option(
        "", "Class prompt", "What the class pictures show. Empty: your caption without the identifier.",
        kind="prompt", more=True,
    )  # fmt: skip
    negative_prompt: str = option("", "Class negative prompt", "What they must not show.", kind="prompt", more=True)
    guidance_scale: float = option(
        7.5, "Class guidance scale", "How closely generated class pictures follow their prompt.", more=True, ge=0, le=50
    )
    steps: int = option(40, "Class sampling steps", "Denoising steps for each class picture.", unit="steps",
                        more=True, ge=1, le=1000)  # fmt: skip
    batch_size: int = option(1, "Class batch size", "How many class pictures are generated at a time.", unit="images",
                             more=True, ge=1, le=256)  # fmt: skip


class SampleOptions(Section):
    prompt: str = option("", "Preview prompt", "What the previews show. Empty: your caption.", kind="prompt")
    negative_prompt: str = option("", "Preview negative prompt", "What they must not show.", kind="prompt", more=True)
    count: int = option(1, "Previews", "Pictures each time. 0 turns previews of this concept off.", unit="images",
                        ge=0, le=64)  # fmt: skip
    with_class: bool = option(
        False, "The class beside it", "Beside each preview one of the plain class, with the same seed: yours should "
        "turn into your subject, the class's should stay as it was.", more=True,
    )  # fmt: skip
    seed: int = option(
        -1, "Preview seed", "The same seed shows the same picture as it changes. -1 draws one when the run is made; "
        "further previews use seed + 1, + 2, …", more=True, ge=-1, le=2**32 - 1,
    )  # fmt: skip
    guidance_scale: float = option(7.5, "Preview guidance scale", "How closely previews follow their prompt.",
                                   more=True, ge=0, le=50)  # fmt: skip
    steps: int = option(20, "Preview sampling steps", "Denoising steps for each preview.", unit="steps", more=True,
                        ge=1, le=1000)  # fmt: skip


class Concept(Section):
    """One thing to learn: its pictures, how the class is kept, what is shown of it."""

    name: RunName = option("", "Concept name", "Stands in paths and on screens. Empty: the class.", more=True)
    instance: InstanceOptions = option(InstanceOptions, "Your subject", "The pictures to learn from.")
    prior: PriorOptions = option(PriorOptions, "Prior preservation", "Keeps the model's idea of the class.")
    sample: SampleOptions = option(SampleOptions, "Previews", "Pictures made while it trains.")


class PerformanceOptions(Section):
    text_encoder_ratio: float = option(
        0.0, "Text encoder ratio", "The text encoder trains for this share of the run, then freezes and leaves the "
        "device. 0.7 suits faces, 0.2 styles, 0 saves memory.", ge=0, le=1,
    )  # fmt: skip
    optimizer: OptimizerName = option(
        "auto", "Optimizer", "How weights are updated. auto: 8bit AdamW on CUDA, AdamW elsewhere.",
        choices=OPTIMIZER_CHOICES,
    )  # fmt: skip
    mixed_precision: PrecisionName = option(
        "auto", "Mixed precision", "Arithmetic of the forward pass; the weights stay in 32 bits. auto: bf16 where it "
        "works, else fp16 on CUDA, else no.", choices=PRECISION_CHOICES,
    )  # fmt: skip
    gradient_checkpointing: bool = option(
        False, "Gradient checkpointing", "Computes activations twice instead of keeping them: much less memory, "
        "about a quarter slower.",
    )  # fmt: skip
    text_encoder_rate: float = option(
        0.0, "Text encoder rate", "Its own learning rate. 0: the same as the rest.", more=True, ge=0, le=1,
    )  # fmt: skip
    offset_noise: float = option(
        0.0, "Offset noise", "Shifts the noise of a whole picture, so that very dark and very bright pictures become "
        "possible. 0.05 to 0.1 is usual; 0 is off.", more=True, ge=0, le=1,
    )  # fmt: skip
    max_grad_norm: float = option(
        1.0, "Gradient clipping", "Longest gradient allowed, over all weights together. 0 is off.", more=True, ge=0,
        le=1e6,
    )  # fmt: skip
    weight_decay: float = option(
        0.01, "Weight decay", "Pulls weights towards zero a little at each update.", more=True, ge=0, le=1,
    )  # fmt: skip
    threads: int = option(
        0, "Processor threads", "How many compute on a CPU. 0: as many as torch chooses. Fewer leave the computer free "
        "for other things; the same number gives the same model to the bit.", unit="threads", more=True, ge=0, le=1024,
    )  # fmt: skip
    seed: int = option(
        -1, "Seed", "Everything random follows from it. -1 draws one when the run is made and writes it down.",
        more=True, ge=-1, le=2**32 - 1,
    )  # fmt: skip


class IntervalOptions(Section):
    epochs: int = option(
        100, "Epochs", "How often each of your pictures is seen. Class pictures ride along and do not count.",
        unit="epochs", ge=1, le=1_000_000,
    )  # fmt: skip
    max_steps: int = option(
        0, "Steps at most", "Ends the run after this many steps whatever the epochs say. 0: epochs decide.",
        unit="optimizer steps", more=True, ge=0, le=100_000_000,
    )  # fmt: skip
    save_every_epochs: int = option(
        25, "Save every", "A state to resume from, each so many epochs. 0: only at the end and when you ask.",
        unit="epochs", ge=0, le=1_000_000,
    )  # fmt: skip
    save_every_steps: int = option(0, "Save every (steps)", "The same, counted in steps. 0 is off.",
                                   unit="optimizer steps", more=True, ge=0, le=100_000_000)  # fmt: skip
    sample_every_epochs: int = option(
        5, "Preview every", "Previews each so many epochs. 0: only when you ask.", unit="epochs", ge=0, le=1_000_000,
    )  # fmt: skip
    sample_every_steps: int = option(0, "Preview every (steps)", "The same, counted in steps. 0 is off.",
                                     unit="optimizer steps", more=True, ge=0, le=100_000_000)  # fmt: skip
    sample_at_start: bool = option(
        False, "Preview at the start", "Previews before the first step too: what the model made of them before it "
        "learned anything.", more=True,
    )  # fmt: skip
    validate_every_steps: int = option(
        50, "Validate every", "Measures the loss on fixed noise: on your pictures it should fall, on class pictures "
        "it should stay. 0 is off.", unit="optimizer steps", more=True, ge=0, le=100_000_000,
    )  # fmt: skip


class BatchOptions(Section):
    size: int = option(
        1, "Batch size", "Your pictures in each forward pass. More is smoother and needs more memory.",
        unit="images", ge=1, le=1024,
    )  # fmt: skip
    accumulation: int = option(
        1, "Gradient accumulation", "Forward passes for each update: the effect of a larger batch without its "
        "memory. It does not make training faster.", unit="passes", ge=1, le=1024,
    )  # fmt: skip
    incomplete: Annotated[Literal["error", "wrap", "drop"], Field()] = option(
        "error", "Incomplete batches", "If the pictures do not divide evenly: error says so before it starts, wrap "
        "repeats some pictures, drop leaves some out of each epoch.", choices=("error", "wrap", "drop"), more=True,
    )  # fmt: skip


class LearningRateOptions(Section):
    rate: float = option(
        1e-6, "Learning rate", "How far each update goes. 1e-6 to 5e-6 is usual for a whole model.", gt=0, le=1,
    )  # fmt: skip
    scheduler: SchedulerName = option("constant_with_warmup", "Scheduler", "How the rate changes over the run.",
                                      choices=tuple(SCHEDULERS))  # fmt: skip
    warmup_steps: Warmup = option(
        0, "Warm-up", 'Updates until the full rate is reached: a number, or a share of the run such as "10%".',
        unit="optimizer steps",
    )  # fmt: skip
    final_rate: float = option(0.0, "Final rate", "Where a falling scheduler ends.", more=True, ge=0, le=1)


class PriorLossOptions(Section):
    weight: float = option(
        0.75, "Prior loss weight", "How much the class pictures count beside yours. More keeps the class better, "
        "less learns the subject faster.", ge=0, le=100,
    )  # fmt: skip


class SavingOptions(Section):
    export_name: RunName = option("", "Export name", "File name of the exported model. Empty: the run's name.",
                                  more=True)  # fmt: skip
    export_format: FormatName = option("safetensors", "Export format", "What the finished model is written as.",
                                       choices=tuple(EXPORT_FORMATS))  # fmt: skip
    half: bool = option(True, "Half precision", "Export in 16 bits: half the size, the same pictures.")
    export_when_done: bool = option(True, "Export when done", "Write the model for other programs at the end.",
                                    more=True)  # fmt: skip
    on_cancel: bool = option(True, "Export when stopped", "Write it also when you stop the run early.", more=True)
    on_save: bool = option(False, "Export at each save", "Write it each time a state is saved.", more=True)
    keep_checkpoints: int = option(
        2, "States kept", "Resumable states on disk; older ones are dropped. Exports are never dropped.",
        unit="states", more=True, ge=2, le=1000,
    )  # fmt: skip


class RunConfig(Section):
    """All that a run is. Every option has a value, so a half-filled form is a `RunConfig` too; what is missing or
    does not fit together is found by `core.planning`.
    """

    model: ModelOptions = option(ModelOptions, "Model", "What you start from.")
    concepts: tuple[Concept, ...] = Field(
        default_factory=lambda: (Concept(),), title="Concepts", description="What you teach it.", min_length=1
    )
    performance: PerformanceOptions = option(PerformanceOptions, "Performance", "What is trained, and with what.")
    intervals: IntervalOptions = option(IntervalOptions, "Intervals", "How long, and what happens when.")
    batch: BatchOptions = option(BatchOptions, "Batch", "How many pictures at a time.")
    learning_rate: LearningRateOptions = option(LearningRateOptions, "Learning rate", "How fast it learns.")
    prior_loss: PriorLossOptions = option(PriorLossOptions, "Prior loss", "How much the class counts.")
    saving: SavingOptions = option(SavingOptions, "Saving", "What you take home.")
