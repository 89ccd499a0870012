"""How much memory training will take: arithmetic where it can be known, measured rules for the rest.

What is exact: weights, gradients, the optimizer's state and the average of the weights. What is an estimate: the
activations kept for the backward pass (see `activations`) and what programs take before anything is loaded. Gradients
grow while activations go: in a step of one pass the larger of the two counts, with a quarter of the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.choices import optimizers, precisions
from core.choices.adapters import WHOLE
from core.config.options import RunConfig
from core.data.sizes import Size, square
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.activations import (
    ADAPTED_WEIGHT_BYTES,
    IN_16_BITS_ON_A_CPU,
    IN_16_BITS_ON_A_GPU,
    IN_32_BITS,
    Layer,
    kept_bytes,
    text_layers,
    unet_layers,
)
from core.planning.trained import adapted_weights, trained_parameters, training
from core.texts import Texts, say, size_in_words

LIBRARIES = {"cuda": 800_000_000, "cpu": 750_000_000}
"""What torch and the device's runtime take on the device that trains beside every tensor."""
HEAP = 2.0
"""What glibc keeps of freed memory in a step on a CPU, against what the step holds with checkpointing (without it the
same is freed). Measured on SD 1.5 at 256 to 768 px, in bf16 and fp32; handing it back at once costs a fifth more time.
"""
HOST_LIBRARIES = 2_500_000_000
"""What the same take in the computer's own memory beside a GPU."""
LEFT_OF_ACTIVATIONS, LEFT_OF_CHECKPOINTS = 0.26, 0.7
"""How much of them is there still when the gradients are whole, in a step of one pass. Measured on SD 1.5."""
WITHOUT_GRADIENTS = 0.46
"""What a forward pass without gradients holds at most, against what one with checkpointing keeps."""
ENCODING_BYTES, DECODING_BYTES = 20, 24
"""Of a VAE in 32 bits, for each pixel × the channels of its first level."""
VAE_CHANNELS = 128
ROUNDING_BYTES = 2**24 * 16
"""Weights in bf16 are updated a part at a time: the part, its gradients and random bits in 32 bits."""

PARTS = Texts("memory.part", {
    "weights": "weights", "gradients": "gradients", "optimizer": "optimizer", "average": "average",
    "libraries": "libraries",
})  # fmt: skip
MOMENTS = Texts("memory.moment", {
    "training": "pictures (training)", "encoding": "pictures (encoding)", "class pictures": "pictures (class pictures)",
    "previews": "pictures (previews)",
})  # fmt: skip


@dataclass(frozen=True)
class Moment:
    """Bytes on the device that trains when one thing is done there, by what they are for.

    `pictures` is all that comes and goes with them, on top of the others.
    """

    name: str
    weights: int
    gradients: int = 0
    optimizer: int = 0
    average: int = 0
    pictures: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.average + self.pictures


@dataclass(frozen=True)
class MemoryEstimate:
    """`moments` are those that may be the peak, training first. `host` is the computer's own memory in bytes: on a CPU
    the same as `total`.
    """

    moments: tuple[Moment, ...]
    libraries: int
    host: int

    @property
    def training(self) -> Moment:
        return self.moments[0]

    @property
    def peak(self) -> Moment:
        return max(self.moments, key=lambda moment: moment.total)

    @property
    def fixed(self) -> int:
        """What is arithmetic, of training."""
        return self.training.total - self.training.pictures

    @property
    def total(self) -> int:
        return self.peak.total + self.libraries

    @property
    def parts(self) -> list[tuple[str, int]]:
        """What the device's memory is for at the peak, in words, and how many bytes; the most first."""
        peak = self.peak
        parts = {
            PARTS["weights"]: peak.weights, PARTS["gradients"]: peak.gradients, PARTS["optimizer"]: peak.optimizer,
            PARTS["average"]: peak.average, MOMENTS.get(peak.name, peak.name): peak.pictures,
            PARTS["libraries"]: self.libraries,
        }  # fmt: skip
        return sorted(((what, count) for what, count in parts.items() if count), key=lambda part: -part[1])

    @property
    def parts_in_words(self) -> list[str]:
        """The same, each with its size."""
        return [say("memory.of-part", "{size} {part}", size=size_in_words(count), part=part)
                for part, count in self.parts]  # fmt: skip


def device_of(machine: Machine | None) -> str:
    """`cuda` or `cpu`; `cpu` where the machine is not known."""
    return machine.device if machine is not None else "cpu"


def optimizer_of(config: RunConfig, machine: Machine | None) -> optimizers.Optimizer:
    """The optimizer that will be used: `auto` settled for the machine."""
    return optimizers.OPTIMIZERS[optimizers.settle(config.performance.optimizer, device_of(machine))]


def weights_of(config: RunConfig) -> str:
    """What trained weights are kept in: an id of `WEIGHTS`. Adapters are always in fp32."""
    return config.performance.weights if config.method == WHOLE else "fp32"


def weight_bytes(config: RunConfig) -> int:
    """Bytes of a trained weight, and of its gradient."""
    return 2 if weights_of(config) == "bf16" else 4


def average_bytes(config: RunConfig) -> int:
    """Bytes of the average for each trained weight."""
    return 4 if config.performance.ema else 0


def precision_of(config: RunConfig, machine: Machine | None) -> str:
    """The precision that will be used: `auto` settled for the machine."""
    knows_bf16 = machine is not None and machine.knows_bf16
    return precisions.settle(config.performance.mixed_precision, device_of(machine), knows_bf16, weights_of(config))


def resolution_of(config: RunConfig, source: SourceDescription | None) -> int | None:
    """The side of the training pictures in px; `None` where it follows from a source that is not known."""
    asked = config.model.resolution
    if asked != "auto":
        return asked
    return source.native_resolution if source is not None else None


def estimate_memory(
    config: RunConfig, source: SourceDescription, machine: Machine | None, largest: Size | None = None
) -> MemoryEstimate:
    """What training takes, and what comes before and between its steps.

    `largest` is the size of the largest training picture; where it is not known, the square of the resolution, which
    none exceeds.
    """
    device = device_of(machine)
    side = resolution_of(config, source) or source.native_resolution
    step = _Step(config, source, machine, largest or square(side))
    trained = trained_parameters(config, source)
    gradients, average = trained * weight_bytes(config), trained * average_bytes(config)
    optimizer = round(trained * optimizer_of(config, machine).state_bytes)
    held = _Held.of(config, source, machine)
    drawing, showing = _drawn(config), _shown(config)
    vae = _vae_bytes(source, square(side))

    training = max(gradients, step.peak(gradients))
    moments = [Moment("training", held.training, gradients, optimizer, average, training - gradients)]
    if config.performance.cache_latents:
        moments.append(Moment("encoding", held.all, pictures=ENCODING_BYTES * vae))
    else:
        live = max(0, ENCODING_BYTES * vae - gradients)
        moments.append(Moment("encoding", held.training, gradients, optimizer, average, live))
    if drawing:
        moments.append(Moment("class pictures", held.all, pictures=max(DECODING_BYTES * vae, step.forward(drawing))))
    if showing:
        pictures = max(DECODING_BYTES * vae, step.forward(2))
        moments.append(Moment("previews", held.with_vae, 0, optimizer, average, pictures))
    total = max(moment.total for moment in moments) + LIBRARIES[device]
    host = total if device == "cpu" else HOST_LIBRARIES + held.all - held.unet
    return MemoryEstimate(tuple(moments), LIBRARIES[device], host)


@dataclass(frozen=True)
class _Held:
    """Bytes of the networks on the device: before training, in a step, and with the VAE beside it. On a CPU they all
    stay where they are.
    """

    unet: int
    all: int
    training: int
    with_vae: int

    @classmethod
    def of(cls, config: RunConfig, source: SourceDescription, machine: Machine | None) -> _Held:
        halved = precision_of(config, machine) != "no"
        each = weight_bytes(config) if config.method == WHOLE else 2 if halved else 4
        unet, vae = each * source.parameters["unet"], 4 * source.parameters["vae"]
        encoders = each * sum(source.parameters[name] for name in FAMILIES[source.family].text_encoders)
        adapters = 4 * trained_parameters(config, source) if config.method != WHOLE else 0
        everything = unet + encoders + vae
        if device_of(machine) == "cpu":
            return cls(unet, everything, everything + adapters, everything + adapters)
        kept = unet + adapters + (encoders if config.performance.text_encoder_ratio > 0 else 0)
        return cls(unet, everything, kept if config.performance.cache_latents else kept + vae, kept + vae)


class _Step:
    """The activations of a step, by the layers of the source."""

    def __init__(self, config: RunConfig, source: SourceDescription, machine: Machine | None, size: Size) -> None:
        self._config, self._source = config, source
        self._halved, self._on_gpu = precision_of(config, machine) != "no", device_of(machine) == "cuda"
        layers = IN_32_BITS
        if self._halved:
            layers = IN_16_BITS_ON_A_GPU if self._on_gpu else IN_16_BITS_ON_A_CPU
        adapted, factor = config.method != WHOLE, source.latent_factor
        self._unet = list(unet_layers(
            source.configs["unet"], size.height // factor, size.width // factor, layers, method=config.method,
            more=adapted and config.lora.targets != "attention", convolutions=adapted and config.lora.targets == "all",
        ))  # fmt: skip
        self._text: list[Layer] = []
        if config.performance.text_encoder_ratio > 0:
            for encoder in FAMILIES[source.family].text_encoders:
                self._text += text_layers(source.configs[encoder], layers)

    def forward(self, pictures: int) -> int:
        """Of a pass without gradients."""
        kept, _ = kept_bytes(self._unet, checkpointing=True)
        return round(WITHOUT_GRADIENTS * pictures * kept)

    def peak(self, gradients: int) -> int:
        """The most that gradients and activations take together; gradients grow while activations go."""
        config, layers = self._config, self._unet + self._text
        checkpointing = config.performance.gradient_checkpointing
        kept, again = kept_bytes(layers, checkpointing=checkpointing)
        images = config.batch.size * (2 if _drawn(config) else 1)
        changes = ADAPTED_WEIGHT_BYTES[config.method] * adapted_weights(config, self._source)
        changes *= (0.5 if self._halved else 1) / (len(layers) if checkpointing else 1)
        forward = images * kept + changes + self._copies()
        backward = images * (kept + again) + changes
        left = (LEFT_OF_CHECKPOINTS if checkpointing else LEFT_OF_ACTIVATIONS) * images * kept
        if config.batch.accumulation > 1:  # a second pass runs beside the gradients of the first
            left = max(forward, backward) if checkpointing else forward
        rounding = ROUNDING_BYTES if weight_bytes(config) == 2 else 0
        heap = 0 if self._on_gpu else HEAP * images * sum(kept_bytes(layers, checkpointing=True))
        return round(max(forward, backward, gradients + left, gradients + rounding) + heap)

    def _copies(self) -> int:
        """Autocast's copies of 32-bit weights in 16 bits, at the end of the forward pass. Those of a U-Net that does
        not train are kept for the backward pass alone.
        """
        config, source = self._config, self._source
        if config.method != WHOLE or weight_bytes(config) == 2 or not self._halved:
            return 0
        copied = set(training(config, source))
        if not config.performance.gradient_checkpointing:
            copied.add("unet")
        return 2 * sum(source.parameters[name] for name in copied)


def _vae_bytes(source: SourceDescription, size: Size) -> int:
    """Numbers in the first level of the VAE for one picture."""
    channels: int = source.configs.get("vae", {}).get("block_out_channels", (VAE_CHANNELS,))[0]
    return size.pixels * channels


def _drawn(config: RunConfig) -> int:
    """How many class pictures go through the U-Net at a time, twice for their guidance; 0 where there are none."""
    return max((2 * concept.prior.batch_size for concept in config.concepts if concept.prior.images_per_instance),
               default=0)  # fmt: skip


def _shown(config: RunConfig) -> bool:
    """Whether previews are planned."""
    every = config.intervals
    planned = every.sample_every_epochs or every.sample_every_steps or every.sample_at_start
    return bool(planned) and any(concept.sample.count for concept in config.concepts)
