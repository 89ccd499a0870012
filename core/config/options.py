"""The one table of every option: name, type, default, range, unit, title and help.

The form, the comments in `run.toml`, `--set`, `dbtui options` and the docs are drawn from these models. An option
that stands here and is not obeyed is a defect.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.choices import formats
from core.choices.adapters import METHODS, TARGETS, WHOLE, settled_rate
from core.choices.attention import ATTENTIONS
from core.choices.formats import EXPORT_FORMATS
from core.choices.optimizers import OPTIMIZERS
from core.choices.precisions import PRECISIONS, WEIGHTS
from core.choices.schedulers import SCHEDULERS
from core.families import FAMILIES

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
    expects: str = "",
    **limits: Any,
) -> Any:
    """One option. `more` puts it behind "more" in the form; `kind` is path, directory, prompt or empty; `expects` says
    what a value must be where its type does not.
    """
    extra: Any = {"unit": unit, "more": more, "choices": choices, "kind": kind, "expects": expects}
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


def _crop(value: Any) -> Any:
    """Americans write it otherwise."""
    return "centre" if value == "center" else value


def _resolution(value: int | str) -> int | str:
    if isinstance(value, int) and not 8 <= value <= 4096:
        raise ValueError("between 8 and 4096")
    return value


def _rate(value: float | str) -> float | str:
    if not isinstance(value, str) and not 0 < value <= 1:
        raise ValueError("above 0 and up to 1")
    return value


def _decay(value: float | str) -> float | str:
    if isinstance(value, float) and not 0 <= value <= 1:
        raise ValueError("between 0 and 1")
    return value


def _epsilon(value: float | str) -> float | str:
    if isinstance(value, float) and not 0 < value <= 1:
        raise ValueError("above 0 and up to 1")
    return value


def _betas(value: str) -> str:
    """`0.9,0.999` → `0.9, 0.999`."""
    parts = [part.strip() for part in value.split(",")]
    if value.strip() == "auto":
        return "auto"
    if len(parts) != 2 or not all(re.fullmatch(r"0(\.\d+)?|\.\d+", part) for part in parts):
        raise ValueError(BETAS_EXPECTED)
    return ", ".join(parts)


BETAS_EXPECTED = "auto, or two numbers from 0 to below 1, for example 0.9, 0.999"
OPTIMIZER_CHOICES = ("auto", *OPTIMIZERS)
PRECISION_CHOICES = ("auto", *PRECISIONS)
FORMAT_CHOICES = ("auto", *EXPORT_FORMATS)
ATTENTION_CHOICES = ("auto", *ATTENTIONS)
FAMILY_CHOICES = ("auto", *FAMILIES)

RunName = Annotated[str, AfterValidator(_run_name)]
Warmup = Annotated[int | str, AfterValidator(_warmup)]
Decay = Annotated[float | Literal["auto"], AfterValidator(_decay)]
Betas = Annotated[str, AfterValidator(_betas)]
Epsilon = Annotated[float | Literal["auto"], AfterValidator(_epsilon)]
Resolution = Annotated[int | Literal["auto"], AfterValidator(_resolution)]
OptimizerName = Annotated[str, _one_of(*OPTIMIZER_CHOICES)]
PrecisionName = Annotated[str, _one_of(*PRECISION_CHOICES)]
FamilyName = Annotated[str, _one_of(*FAMILY_CHOICES)]
WeightsName = Annotated[str, _one_of(*WEIGHTS)]
AttentionName = Annotated[str, _one_of(*ATTENTION_CHOICES)]
SchedulerName = Annotated[str, _one_of(*SCHEDULERS)]
FormatName = Annotated[str, _one_of(*FORMAT_CHOICES)]
Rate = Annotated[float | Literal["auto"], AfterValidator(_rate)]
MethodName = Annotated[str, _one_of(*METHODS)]
TargetsName = Annotated[str, _one_of(*TARGETS)]


class ModelOptions(Section):
    name: RunName = option("", "Run name", "The folder of the run and, unless you say otherwise, of the exported file.")
    source: str = option(
        "", "Source model", "What you start from: a .safetensors or .ckpt file of Stable Diffusion 1, 2 or XL, a "
        "folder that diffusers wrote, or the name of one on the Hugging Face hub, for example "
        "stable-diffusion-v1-5/stable-diffusion-v1-5 (4 GB, downloaded when the run starts). demo is the small model "
        "that comes with the program: a minute on any computer.", kind="path",
    )  # fmt: skip
    family: FamilyName = option(
        "auto", "Family", "Which Stable Diffusion it is. auto reads it from the weights; a wrong choice is refused. "
        "Only some single files of Stable Diffusion 2 need one: they do not say whether they are the base model.",
        choices=FAMILY_CHOICES, more=True,
    )  # fmt: skip
    revision: str = option("", "Hub revision", "Branch, tag or commit of a hub id. Empty: its main branch.", more=True)
    variant: str = option("", "Hub variant", "Which files of a hub id, for example fp16. Empty: the plain ones.",
                          more=True)  # fmt: skip
    resolution: Resolution = option(
        "auto", "Resolution", "Side of the training pictures. auto: the size the model was made for ("
        + ", ".join(f"{family.resolution} px for {family.title}" for family in FAMILIES.values()) + ").",
        unit="px", more=True,
    )  # fmt: skip
    vae: str = option(
        "", "Another VAE", "A folder or file of a VAE that takes the place of the source's own, in previews and "
        "exports too. Empty: the source's.", kind="path", more=True,
    )  # fmt: skip
    clip_skip: int = option(
        1, "Clip skip", "Which of the text encoder's layers is used, counted from the last. Some models of drawings "
        "want 2, in training and afterwards. Not for Stable Diffusion XL.", unit="layers", more=True, ge=1, le=32,
    )  # fmt: skip


class InstanceOptions(Section):
    directory: str = option(
        "", "Your pictures", "The folder with the pictures of your subject, read with its subfolders. Three to "
        "twenty good ones are enough.", kind="directory",
    )  # fmt: skip
    identifier: str = option(
        "", "Identifier", "A rare word that will mean your subject, for example ohwx. You write it in prompts "
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
        0, "Class pictures each", "Prior preservation: this many pictures of the plain class for each "
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
    negative_prompt: str = option(
        "", "Class negative prompt", "What class pictures must not show.", kind="prompt", more=True
    )
    guidance_scale: float = option(
        7.5, "Class guidance scale", "How closely generated class pictures follow their prompt.", more=True, ge=0, le=50
    )
    steps: int = option(40, "Class sampling steps", "Denoising steps for each class picture.", unit="steps",
                        more=True, ge=1, le=1000)  # fmt: skip
    batch_size: int = option(1, "Class batch size", "How many class pictures are generated at a time.", unit="images",
                             more=True, ge=1, le=256)  # fmt: skip


class SampleOptions(Section):
    prompt: str = option("", "Preview prompt", "What the previews show. Empty: your caption.", kind="prompt")
    negative_prompt: str = option(
        "", "Preview negative prompt", "What previews must not show.", kind="prompt", more=True
    )
    template_file: str = option(
        "", "Preview prompts file", "A text file with a prompt in each line, in the place of the preview prompt. "
        "{identifier} and {class} are filled in; [filewords] are those of one of your pictures after the other.",
        kind="path", more=True,
    )  # fmt: skip
    count: int = option(1, "Previews", "Pictures each time, of each prompt. 0 turns previews of this concept off.",
                        unit="images", ge=0, le=64)  # fmt: skip
    with_class: bool = option(
        False, "The class beside it", "Beside each preview one of the plain class, with the same seed: yours should "
        "turn into your subject, the class's should stay as it was.", more=True,
    )  # fmt: skip
    seed: int = option(
        -1, "Preview seed", "The same seed shows the same picture as it changes. -1 draws one when the run begins; "
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
    ema: bool = option(
        False, "Average (EMA)", "Keeps a running average of what is trained beside it: calmer than the "
        "weights of the last update. Four more bytes for each trained parameter.",
    )  # fmt: skip
    ema_decay: float = option(
        0.9999, "EMA decay", "How much of the average stays at each update. Early in a run less does.", more=True,
        ge=0, le=0.999999,
    )  # fmt: skip
    ema_previews: bool = option(
        False, "Previews from the average", "Previews show what the averaged model makes, not the one of the last "
        "update.", more=True,
    )  # fmt: skip
    optimizer: OptimizerName = option(
        "auto", "Optimizer", "How weights are updated. auto: 8bit AdamW on CUDA, AdamW elsewhere.",
        choices=OPTIMIZER_CHOICES,
    )  # fmt: skip
    mixed_precision: PrecisionName = option(
        "auto", "Mixed precision", "Arithmetic of the forward pass; the weights stay in 32 bits. auto: bf16 where it "
        "works, else fp16 on CUDA, else no.", choices=PRECISION_CHOICES,
    )  # fmt: skip
    weights: WeightsName = option(
        "fp32", "Trained weights in", "fp32: exact. bf16: half the memory, for large models on small cards; rounded at "
        "random, so that small updates are not lost.", choices=tuple(WEIGHTS), more=True,
    )  # fmt: skip
    gradient_checkpointing: bool = option(
        False, "Gradient checkpointing", "Computes activations twice instead of keeping them: much less memory, "
        "about a quarter slower.",
    )  # fmt: skip
    cache_latents: bool = option(
        True, "Cache latents", "Encodes each picture once instead of at each step; the VAE then leaves the device. "
        "Off: slower, with more memory on the device, but nothing is kept on the disk.", more=True,
    )  # fmt: skip
    train_unet: bool = option(
        True, "Train the U-Net", "Off: only the text encoder learns a meaning for the identifier, and the pictures "
        "stay as they are drawn. Its ratio has to be 1 then.", more=True,
    )  # fmt: skip
    attention: AttentionName = option(
        "auto", "Attention", "How the U-Net's attention is computed; the results are the same. auto: the fastest that "
        "works on this computer.", choices=ATTENTION_CHOICES, more=True,
    )  # fmt: skip
    compile: bool = option(
        False, "Compile", "torch.compile of the U-Net: each step is faster, the first takes a minute or more. Pays "
        "for long runs; needs a C++ compiler, and Triton with a GPU.", more=True,
    )  # fmt: skip
    deterministic: bool = option(
        False, "Deterministic", "On a GPU: only arithmetic that gives the same bits each time, somewhat slower. On a "
        "processor that is always so.", more=True,
    )  # fmt: skip
    text_encoder_rate: float = option(
        0.0, "Text encoder rate", "Its own learning rate. 0: the same as the rest.", more=True, ge=0, le=1,
    )  # fmt: skip
    offset_noise: float = option(
        0.0, "Offset noise", "Shifts the noise of a whole picture, so that very dark and very bright pictures become "
        "possible. 0.05 to 0.1 is usual; 0 is off.", more=True, ge=0, le=1,
    )  # fmt: skip
    snr_gamma: float = option(
        0.0, "Min-SNR gamma", "Counts the easy, little noised steps of the noise schedule less, so that all are "
        "learned at a like pace. 5 is usual; 0 is off.", more=True, ge=0, le=1000,
    )  # fmt: skip
    max_grad_norm: float = option(
        1.0, "Gradient clipping", "Longest gradient allowed, over all weights together. 0 is off.", more=True, ge=0,
        le=1e6,
    )  # fmt: skip
    weight_decay: Decay = option(
        "auto", "Weight decay", "Pulls weights towards zero a little at each update. auto: the optimizer's usual one.",
        more=True, expects="auto, or a number from 0 to 1",
    )  # fmt: skip
    betas: Betas = option(
        "auto", "Betas", "How long the optimizer remembers gradients and their squares: two numbers, for example "
        "0.9, 0.999. auto: the optimizer's usual ones.", more=True, expects=BETAS_EXPECTED,
    )  # fmt: skip
    eps: Epsilon = option(
        "auto", "Epsilon", "Keeps the optimizer from dividing by zero. auto: the optimizer's usual one.", more=True,
        expects="auto, or a number above 0 and up to 1",
    )  # fmt: skip
    threads: int = option(
        0, "Processor threads", "How many compute on a CPU. 0: as many as torch chooses. Fewer leave the computer free "
        "for other things; the same number gives the same model to the bit.", unit="threads", more=True, ge=0, le=1024,
    )  # fmt: skip
    seed: int = option(
        -1, "Seed", "Everything random follows from it. -1 draws one when the run begins and writes it down.",
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
    pause_every_epochs: int = option(
        0, "Rest every", "A rest for the graphics card, each so many epochs. 0 is off.", unit="epochs", more=True,
        ge=0, le=1_000_000,
    )  # fmt: skip
    pause_seconds: float = option(0.0, "Length of a rest", "How long it rests; every key works meanwhile.",
                                  unit="seconds", more=True, ge=0, le=86_400)  # fmt: skip
    save_every_epochs: int = option(
        25, "Save every", "A state to resume from, each so many epochs. 0: not by epochs; by Save every (steps), "
        "at the end and when you ask.",
        unit="epochs", ge=0, le=1_000_000,
    )  # fmt: skip
    save_every_steps: int = option(0, "Save every (steps)", "A state to resume from, each so many steps. 0 is off.",
                                   unit="optimizer steps", more=True, ge=0, le=100_000_000)  # fmt: skip
    sample_every_epochs: int = option(
        5, "Preview every", "Previews each so many epochs. 0: not by epochs; by Preview every (steps) or when asked.",
        unit="epochs", ge=0, le=1_000_000,
    )  # fmt: skip
    sample_every_steps: int = option(0, "Preview every (steps)", "Previews each so many steps. 0 is off.",
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
    rate: Rate = option(
        "auto", "Learning rate", "How far each update goes. 1e-6 to 5e-6 is usual for a whole model, 1e-4 for LoRA. "
        "auto: 1e-6 for a whole model, 1e-4 for LoRA and its kin; a fifth of that with Lion, 1 with Prodigy.",
        expects="auto, or a number above 0 and up to 1",
    )  # fmt: skip
    scheduler: SchedulerName = option("constant_with_warmup", "Scheduler", "How the rate changes over the run.",
                                      choices=tuple(SCHEDULERS))  # fmt: skip
    warmup_steps: Warmup = option(
        0, "Warm-up", 'Updates until the full rate is reached: a number, or a share of the run such as "10%".',
        unit="optimizer steps",
    )  # fmt: skip
    final_rate: float = option(0.0, "Final rate", "Where a falling scheduler ends.", more=True, ge=0, le=1)
    cycles: int = option(1, "Cycles", "How often a scheduler with restarts falls.", unit="times", more=True, ge=1,
                         le=1000)  # fmt: skip
    power: float = option(1.0, "Power", "How the polynomial scheduler falls: 1 is a line, more falls sooner.",
                          more=True, gt=0, le=100)  # fmt: skip


class PriorLossOptions(Section):
    weight: float = option(
        0.75, "Prior loss weight", "How much the class pictures count beside yours. More keeps the class better, "
        "less learns the subject faster.", ge=0, le=100,
    )  # fmt: skip
    scaled: bool = option(
        False, "Scale the prior loss", "Lets the weight fall along a line from the one above to a minimum.", more=True,
    )  # fmt: skip
    minimum: float = option(0.1, "Prior loss minimum", "Where a scaled weight ends.", more=True, ge=0,
                            le=100)  # fmt: skip
    target_epoch: int = option(
        100, "Prior loss target", "The epoch at whose end a scaled weight has reached its minimum.", unit="epochs",
        more=True, ge=1, le=1_000_000,
    )  # fmt: skip


class LoraOptions(Section):
    enabled: bool = option(
        False, "LoRA", "Trains small matrices beside the model instead of the model itself: a file of some megabytes "
        "that is used with the model, and far less memory. Off: the model itself learns, which is a little better.",
    )  # fmt: skip
    method: MethodName = option(
        "lora", "LoRA method", "lora is read by every program; dora, loha and lokr are variants of it.",
        choices=tuple(METHODS), more=True,
    )  # fmt: skip
    rank: int = option(
        16, "Rank", "How much the U-Net's matrices can hold. 4 to 32 is usual; files grow with it.", ge=1, le=1024,
    )  # fmt: skip
    alpha: float = option(
        16.0, "Alpha", "How strong the matrices are: what they do is multiplied with alpha / rank. As large as "
        "the rank: 1.", more=True, gt=0, le=4096,
    )  # fmt: skip
    text_encoder_rank: int = option(
        16, "Text encoder rank", "How much the text encoder's matrices can hold. 4 to 32 is usual.", more=True, ge=1,
        le=1024,
    )  # fmt: skip
    text_encoder_alpha: float = option(
        16.0, "Text encoder alpha", "How strong the text encoder's matrices are: what they do is multiplied with "
        "alpha / rank.", more=True, gt=0, le=4096,
    )  # fmt: skip
    targets: TargetsName = option(
        "attention", "LoRA targets", "Which matrices get one: attention, attention+mlp, or all (with convolutions). "
        "More learns more and takes more memory.", choices=tuple(TARGETS), more=True,
    )  # fmt: skip


class ImageOptions(Section):
    buckets: bool = option(
        False, "Aspect-ratio buckets", "Off: the middle square of each picture. On: each keeps its shape as nearly as "
        "possible, at about the same number of pixels, and is trained beside others of that shape. Class pictures "
        "are cut to the shape of the picture they stand beside.",
    )  # fmt: skip
    crop: Annotated[Literal["centre", "random"], BeforeValidator(_crop)] = option(
        "centre", "Crop", "What of a picture is kept that is longer than its training size: the middle, or another "
        "part each time. random cannot be cached.", choices=("centre", "random"), more=True,
    )  # fmt: skip
    horizontal_flip: bool = option(
        False, "Mirror pictures", "Shows about half of the pictures mirrored. Not for faces, text, or whatever has a "
        "left and a right side.", more=True,
    )  # fmt: skip
    caption_dropout: float = option(
        0.0, "Caption dropout", "This share of the pictures is shown without a caption, so that the subject also "
        "colours what prompts do not say. 0 is off; 0.05 to 0.1 is usual.", more=True, ge=0, le=1,
    )  # fmt: skip
    shuffle_tags: bool = option(
        False, "Shuffle tags", "What commas part in a caption comes in another order each time. The first tag, where "
        "the identifier stands, stays in front.", more=True,
    )  # fmt: skip
    mask: bool = option(
        False, "Masks", "Only what is white in <picture>-mask.png beside a picture (or opaque in itself) counts; what "
        "is black is not learned. A picture without a mask counts whole.", more=True,
    )  # fmt: skip


class SavingOptions(Section):
    export_name: RunName = option("", "Export name", "File name of the exported model. Empty: the run's name.",
                                  more=True)  # fmt: skip
    export_format: FormatName = option(
        "auto", "Export format", "What the finished model is written as. auto: safetensors for a whole model, lora for "
        "LoRA and its kin. A whole model's formats hold a LoRA run's model with its matrices merged in.",
        choices=FORMAT_CHOICES,
    )  # fmt: skip
    half: bool = option(True, "Half precision", "Export in 16 bits: half the size, the same pictures.")
    export_when_done: bool = option(True, "Export when done", "Write the model for other programs at the end.",
                                    more=True)  # fmt: skip
    on_cancel: bool = option(True, "Export when stopped", "Write it also when you stop the run early.", more=True)
    on_save: bool = option(False, "Export at each save", "Write it each time a state is saved.", more=True)
    include_ema: bool = option(
        False, "Export the average too", "Writes the averaged model beside the other, with -ema behind its name.",
        more=True,
    )  # fmt: skip
    keep_checkpoints: int = option(
        2, "States kept", "Resumable states on disk; older ones are dropped. Exports are never dropped.",
        unit="states", more=True, ge=2, le=1000,
    )  # fmt: skip


class TrackingOptions(Section):
    tensorboard: bool = option(
        True, "TensorBoard", "Writes losses, rates, speed and previews for TensorBoard too, into the run's folder.",
        more=True,
    )  # fmt: skip
    wandb_project: str = option(
        "", "Weights & Biases project", "Sends losses, rates, speed, options and previews, which show your subject, to "
        "this project on the web. Empty: nothing is sent.", more=True,
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
    lora: LoraOptions = option(LoraOptions, "LoRA", "Small matrices beside the model instead of the model itself.")
    images: ImageOptions = option(ImageOptions, "Images", "How pictures and captions are prepared.")
    saving: SavingOptions = option(SavingOptions, "Saving", "What you take home.")
    tracking: TrackingOptions = option(TrackingOptions, "Tracking", "Where the figures go beside the run's journal.")

    @property
    def method(self) -> str:
        """What is trained: an id of `METHODS`, or `WHOLE` for the model itself."""
        return self.lora.method if self.lora.enabled else WHOLE

    @property
    def rate(self) -> float:
        """The learning rate, `auto` settled for the method and the optimizer."""
        chosen = OPTIMIZERS.get(self.performance.optimizer, OPTIMIZERS["adamw"])  # auto is one of AdamW's kin
        return settled_rate(self.learning_rate.rate, self.method, chosen)

    @property
    def export_format(self) -> str:
        """The format of exports, `auto` settled for the method."""
        return formats.settle(self.saving.export_format, self.method)
