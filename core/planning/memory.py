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
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning import activations
from core.planning.activations import ADAPTED_WEIGHT_BYTES, kept_bytes, text_layers, unet_layers
from core.planning.trained import adapted_weights, trained_parameters, training

LIBRARIES = 800_000_000
"""What torch and the device's runtime take on the device before anything is loaded."""
HOST_LIBRARIES = 2_500_000_000
"""What the same take in the computer's own memory beside a GPU."""
LEFT_OF_ACTIVATIONS, LEFT_OF_CHECKPOINTS = 0.26, 0.7
"""How much of them is there still when the gradients are whole, in a step of one pass. Measured on SD 1.5."""
PICTURE_BYTES = 6 * 4
"""Of a VAE in 32 bits that decodes a picture, for each pixel × its first level's channels."""
VAE_CHANNELS = 128


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes at the peak of a step, by what they are for, on the device that trains.

    `activations` are all that comes on top of the four before it. `host` is the computer's own memory: on a CPU the
    same as `total`.
    """

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    host: int

    @property
    def fixed(self) -> int:
        """What is arithmetic."""
        return self.weights + self.gradients + self.optimizer + self.average

    @property
    def total(self) -> int:
        return self.fixed + self.activations + LIBRARIES


def memory_parts(need: MemoryEstimate) -> list[tuple[str, int]]:
    """What the device's memory is for, in words, and how many bytes; the most first."""
    parts = {
        "weights": need.weights, "gradients": need.gradients, "optimizer": need.optimizer, "average": need.average,
        "pictures in work": need.activations, "libraries": LIBRARIES,
    }  # fmt: skip
    return sorted(((what, count) for what, count in parts.items() if count), key=lambda part: -part[1])


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


def estimate_memory(config: RunConfig, source: SourceDescription, machine: Machine | None) -> MemoryEstimate:
    """The peak of training, of previews and of what is encoded before: the largest of them."""
    trained = trained_parameters(config, source)
    gradients = trained * weight_bytes(config)
    optimizer = round(trained * optimizer_of(config, machine).state_bytes)
    average = trained * average_bytes(config)
    on_device, on_host = _weights(config, source, machine)
    work = max(_step(config, source, machine, gradients), _pictures(config, source))
    resting = on_device + optimizer + average
    peak = resting + max(round(work), gradients)
    fixed = resting + gradients
    host = HOST_LIBRARIES + on_host if device_of(machine) == "cuda" else peak + LIBRARIES
    return MemoryEstimate(on_device, gradients, optimizer, average, peak - fixed, host)


def _weights(config: RunConfig, source: SourceDescription, machine: Machine | None) -> tuple[int, int]:
    """Bytes of all networks while training: on the device, and those that wait on the host beside a GPU."""
    each = weight_bytes(config) if config.method == WHOLE else _base_bytes(config, machine)
    adapters = 4 * trained_parameters(config, source) if config.method != WHOLE else 0
    encoders = FAMILIES[source.family].text_encoders
    moving = each * sum(source.parameters[name] for name in encoders)
    vae = 4 * source.parameters["vae"]
    on_device, on_host = each * source.parameters["unet"] + adapters, 0
    parts = (moving, config.performance.text_encoder_ratio > 0), (vae, not config.performance.cache_latents)
    for part, stays in parts:
        if stays or device_of(machine) != "cuda":
            on_device += part
        else:
            on_host += part
    return on_device, on_host


def _base_bytes(config: RunConfig, machine: Machine | None) -> int:
    """Of a weight beside adapters."""
    return 4 if precision_of(config, machine) == "no" else 2


def _step(config: RunConfig, source: SourceDescription, machine: Machine | None, gradients: int) -> float:
    """The most that gradients and activations take together in a step."""
    halved = precision_of(config, machine) != "no"
    layers = activations.IN_32_BITS
    if halved:
        on_gpu = device_of(machine) == "cuda"
        layers = activations.IN_16_BITS_ON_A_GPU if on_gpu else activations.IN_16_BITS_ON_A_CPU
    side = (resolution_of(config, source) or source.native_resolution) // source.latent_factor
    checkpointing, adapted = config.performance.gradient_checkpointing, config.method != WHOLE
    found = list(unet_layers(
        source.configs["unet"], side, side, layers, method=config.method,
        more=adapted and config.lora.targets != "attention", convolutions=adapted and config.lora.targets == "all",
    ))  # fmt: skip
    if config.performance.text_encoder_ratio > 0:
        for encoder in FAMILIES[source.family].text_encoders:
            found += text_layers(source.configs[encoder], layers)
    kept, again = kept_bytes(found, checkpointing=checkpointing)
    images = config.batch.size * (2 if any(concept.prior.images_per_instance for concept in config.concepts) else 1)
    changes = ADAPTED_WEIGHT_BYTES[config.method] * adapted_weights(config, source) * (0.5 if halved else 1)
    if checkpointing:
        changes /= len(found)
    forward = images * kept + changes + _copies(config, source, machine)
    backward = images * (kept + again) + changes
    if config.batch.accumulation > 1:  # a second pass runs beside the gradients of the first
        return gradients + (max(forward, backward) if checkpointing else forward)
    if checkpointing:
        return max(forward, backward, gradients + images * LEFT_OF_CHECKPOINTS * kept)
    return max(forward, gradients + images * LEFT_OF_ACTIVATIONS * kept)


def _copies(config: RunConfig, source: SourceDescription, machine: Machine | None) -> int:
    """Autocast's copies of 32-bit weights in 16 bits, at the end of the forward pass."""
    if config.method != WHOLE or weight_bytes(config) == 2 or precision_of(config, machine) == "no":
        return 0
    return 2 * sum(source.parameters[name] for name in {"unet", *training(config, source)})


def _pictures(config: RunConfig, source: SourceDescription) -> float:
    """The VAE on the device with a picture in it: previews, and what is encoded before the first step."""
    side = resolution_of(config, source) or source.native_resolution
    channels = source.configs.get("vae", {}).get("block_out_channels", (VAE_CHANNELS,))[0]
    held = 4 * source.parameters["vae"] if config.performance.cache_latents else 0
    return held + float(side * side * channels * PICTURE_BYTES)
