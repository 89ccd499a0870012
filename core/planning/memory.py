"""How much memory training will take: arithmetic where it can be known, a measured rule of thumb for the rest.

What is exact: each trained parameter takes 4 bytes of weight, 4 of gradient and the optimizer's state. What is an
estimate: the activations kept for the backward pass. They are proportional to U = Σ over the U-Net's levels of
channels × latent pixels. Measured with saved-tensor hooks (torch 2.13, diffusers 0.42) on Stable Diffusion 1.5 at 256
and 512 px and on a U-Net a twentieth of its size, all within 2 %: 200 numbers for each of U, 33 with gradient
checkpointing (and one block recomputed at a time, about an eighth of the whole); in 16 bits 0.43 of the bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.choices import optimizers, precisions
from core.choices.adapters import WHOLE
from core.config.options import RunConfig
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.trained import frozen_parameters, trained_parameters

NUMBERS_KEPT = 200
NUMBERS_KEPT_CHECKPOINTED = 33 + NUMBERS_KEPT // 8
HALF_SHARE = 0.43
TEXT_NUMBERS_KEPT = 20
"""Numbers kept for each token, hidden channel and layer of a transformer, without its attention maps (Korthikanti
et al., arXiv 2205.05198, count 34 bytes of mostly 16-bit numbers)."""
TOKENS = 77
LIBRARIES = 800_000_000
"""What torch and the device's runtime take before anything is loaded."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the training device. `fixed` is arithmetic, `activations` an estimate."""

    fixed: int
    activations: int

    @property
    def total(self) -> int:
        return self.fixed + self.activations + LIBRARIES


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
    """The peak during training; making class pictures and previews takes less."""
    trained = trained_parameters(config, source)
    per_parameter = 2 * weight_bytes(config) + optimizer_of(config, machine).state_bytes + average_bytes(config)
    half = precision_of(config, machine) != "no"
    checkpointed = config.performance.gradient_checkpointing
    frozen = frozen_parameters(config, source) * (2 if half else 4)
    whole = half and not checkpointed and weight_bytes(config) == 4 and not frozen
    copies = 2 * source.parameters["unet"] if whole else 0
    with_class = any(concept.prior.images_per_instance for concept in config.concepts)
    images = config.batch.size * (2 if with_class else 1)
    side = (resolution_of(config, source) or source.native_resolution) // source.latent_factor
    channels = source.configs["unet"]["block_out_channels"]
    units = sum(width * max(1, side >> level) ** 2 for level, width in enumerate(channels))
    numbers = units * (NUMBERS_KEPT_CHECKPOINTED if checkpointed else NUMBERS_KEPT)
    if config.performance.text_encoder_ratio > 0:
        text = source.configs["text_encoder"]
        layers = 1 if checkpointed else int(text["num_hidden_layers"])
        numbers += TOKENS * int(text["hidden_size"]) * layers * TEXT_NUMBERS_KEPT
    activations = images * numbers * 4 * (HALF_SHARE if half else 1)
    vae = 0 if config.performance.cache_latents else 4 * source.parameters["vae"]
    return MemoryEstimate(round(trained * per_parameter) + frozen + copies + vae, round(activations))
