"""Whether a source is whole: its configs make sense and every block they promise has its weights.

The last word is `load`, which builds the networks and compares every name and shape; this here needs no torch and so
tells it while a run is planned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from core.families import keys
from core.families.family import PREDICTION_TYPES, Configs, Family
from core.families.stored import Parts, StoredTensor
from core.texts import Texts, UserError, counted, joined, listed, path_in_words, say

SCHEDULERS = frozenset(
    f"{name}Scheduler"
    for name in (
        "PNDM", "DDIM", "DDPM", "LMSDiscrete", "EulerDiscrete", "EulerAncestralDiscrete", "HeunDiscrete",
        "DPMSolverMultistep", "DPMSolverSinglestep", "DPMSolverSDE", "KDPM2Discrete", "KDPM2AncestralDiscrete",
        "UniPCMultistep", "DEISMultistep", "LCM", "TCD",
    )
)  # fmt: skip
"""The schedulers of diffusers that a Stable Diffusion model may name."""

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")

Accepts = Callable[[Any], bool]


def check_whole(parts: Parts, family: Family, path: Path) -> None:
    """Raise `UserError` (`source.missing-weights`, `source.other-size`) where it is not. Configs were checked."""
    for component in family.components:
        check_component(component, parts.tensors[component], parts.configs, path)
    _check_widths(parts.configs, family, path)


def check_component(component: str, tensors: Mapping[str, StoredTensor], configs: Configs, path: Path) -> None:
    """The same for one network alone."""
    _check_blocks(component, tensors, configs, path)
    _check_sizes(component, tensors, configs, path)


def check_configs(configs: Configs, family: Family, path: Path) -> None:
    """Every value that this program reads itself, so that a strange one is named and not stumbled over."""
    of_encoders = [(encoder, *rest) for encoder in family.text_encoders for rest in _WANTED_OF_ENCODERS]
    added = ("unet", "addition_embed_type", _one_of(family.added_embedding), "added")
    for component, key, accepts, wanted in (*_WANTED, *of_encoders, added):
        value = configs[component].get(key, _ABSENT.get((component, key)))
        if not accepts(value):
            raise UserError(
                "source.config-value",
                "The config of {path} says {component}.{key} = {value}; this program trains models with {wanted}.",
                mend="Take another model, or the original of this one, and do not edit its configs.",
                path=path_in_words(path), component=component, key=key, value=repr(value)[:80],
                wanted=_in_words(wanted, family),
            )  # fmt: skip


def _in_words(wanted: str, family: Family) -> str:
    if wanted == "added":
        return say("model-wants.added", "the added embedding of {family}", family=family.title)
    names = {"prediction-type": PREDICTION_TYPES, "beta-schedule": BETA_SCHEDULES}.get(wanted)
    return _WORDS[wanted] if names is None else say("model-wants.one-of", "one of {names}", names=joined(names))


def refuse_missing(component: str, names: list[str], path: Path) -> None:
    """Raise `UserError` if `names`, the parameters that a component lacks, are any."""
    if names:
        raise UserError(
            "source.missing-weights",
            "{path} is not whole: its {component} lacks {count}, among them {names}.",
            mend="Copy or download the model again, or take another version of it.",
            path=path_in_words(path), component=component, count=counted(len(names), "weight"),
            names=listed(names, 3),
        )  # fmt: skip


def refuse_other_size(component: str, name: str, found: object, wanted: object, path: Path) -> NoReturn:
    """Raise `UserError` for a tensor that has not the shape its config asks for."""
    raise UserError(
        "source.other-size",
        "{path} does not fit its configs: {name} in its {component} is {found}, expected {wanted}.",
        mend="If it is a single file of a model with unusual sizes, take its diffusers folder, which brings configs.",
        path=path_in_words(path), component=component, name=name, found=str(found), wanted=str(wanted),
    )  # fmt: skip


def _check_blocks(component: str, tensors: Mapping[str, StoredTensor], configs: Configs, path: Path) -> None:
    have = set()
    for name in tensors:
        while (end := name.rfind(".")) > 0:
            name = name[:end]
            have.add(name)
    wanted = keys.blocks(component, configs)
    refuse_missing(component, [f"{block}.weight" for block in wanted if block not in have], path)


def _check_sizes(component: str, tensors: Mapping[str, StoredTensor], configs: Configs, path: Path) -> None:
    config = configs[component]
    wanted: dict[str, tuple[int, ...]]
    if component == "unet":
        wanted = {"conv_in.weight": (config["block_out_channels"][0], config.get("in_channels", 4), 3, 3)}
        for name, tensor in tensors.items():
            if name.endswith("attn2.to_k.weight") and tensor.shape[-1:] != (config["cross_attention_dim"],):
                refuse_other_size(component, name, tensor.shape, f"(…, {config['cross_attention_dim']})", path)
    elif component == "vae":
        wanted = {"decoder.conv_in.weight": (config["block_out_channels"][-1], config.get("latent_channels", 4), 3, 3)}
    else:
        size = config["hidden_size"]
        wanted = {
            "text_model.embeddings.token_embedding.weight": (config["vocab_size"], size),
            "text_model.final_layer_norm.weight": (size,),
        }
    for name, shape in wanted.items():
        if name not in tensors:
            refuse_missing(component, [name], path)
        if tensors[name].shape != shape:
            refuse_other_size(component, name, tensors[name].shape, shape, path)


def _check_widths(configs: Configs, family: Family, path: Path) -> None:
    """What the text encoders give must be what the UNet takes."""
    encoders = [(encoder, configs[encoder.component]) for encoder in family.encoders]
    unet, width = configs["unet"], sum(config["hidden_size"] for _, config in encoders)
    if width != unet["cross_attention_dim"]:
        refuse_other_size("unet", "cross_attention_dim", unet["cross_attention_dim"], width, path)
    if unet.get("addition_embed_type") == "text_time":
        pooled = sum(config.get("projection_dim", 512) for encoder, config in encoders if encoder.projects)
        added, wanted = unet.get("projection_class_embeddings_input_dim"), pooled + 6 * unet["addition_time_embed_dim"]
        if added != wanted:
            refuse_other_size("unet", "projection_class_embeddings_input_dim", added, wanted, path)


def _whole_number(least: int, most: int) -> Accepts:
    return lambda value: type(value) is int and least <= value <= most


def _list_of(inner: Accepts) -> Accepts:
    return lambda value: isinstance(value, list | tuple) and 1 <= len(value) <= 8 and all(map(inner, value))


def _one_of(*values: object) -> Accepts:
    return lambda value: any(type(value) is type(known) and value == known for known in values)


def _depths(value: Any) -> bool:
    """A number of layers, one for each block, or one for each layer of each block."""
    return any(accepts(value) for accepts in (_layers, _list_of(_layers), _list_of(_list_of(_layers))))


_number: Accepts = lambda value: isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1  # noqa: E731
_layers = _whole_number(1, 16)
_side = _whole_number(1, 16384)

_ABSENT: Mapping[tuple[str, str], Any] = {
    ("unet", "in_channels"): 4,
    ("unet", "out_channels"): 4,
    ("unet", "layers_per_block"): 2,
    ("unet", "mid_block_type"): "UNetMidBlock2DCrossAttn",
    ("unet", "class_embed_type"): None,
    ("unet", "transformer_layers_per_block"): 1,
    ("vae", "latent_channels"): 4,
    ("vae", "layers_per_block"): 1,
    ("vae", "mid_block_add_attention"): True,
    ("vae", "scaling_factor"): 0.18215,
    **{(encoder, "max_position_embeddings"): 77 for encoder in ("text_encoder", "text_encoder_2")},
    ("unet", "_class_name"): "UNet2DConditionModel",
    ("vae", "_class_name"): "AutoencoderKL",
    ("scheduler", "_class_name"): "PNDMScheduler",
    ("scheduler", "prediction_type"): "epsilon",
    ("scheduler", "num_train_timesteps"): 1000,
}
"""What a key that is not written means, by diffusers and transformers."""

_WORDS = Texts(
    "model-wants",
    {
        "unet": "the UNet of Stable Diffusion",
        "vae": "the VAE of Stable Diffusion",
        "scheduler": "a scheduler of diffusers for Stable Diffusion",
        "blocks": "the blocks of Stable Diffusion",
        "widths": "a list of 1 to 8 widths",
        "layers": "1 to 16 layers",
        "pixels": "a whole number of latent pixels",
        "whole-number": "a whole number",
        "channels": "4 channels",
        "no-class": "no class embedding",
        "attention": "attention in the middle block",
        "factor": "a factor between 0 and 1",
        "timesteps": "2 to 100,000 timesteps",
        "number": "a number between 0 and 1",
        "encoder-layers": "1 to 256 layers",
        "places": "77 places for tokens",
    },
)

_WANTED: tuple[tuple[str, str, Accepts, str], ...] = (
    ("unet", "_class_name", _one_of("UNet2DConditionModel"), "unet"),
    ("vae", "_class_name", _one_of("AutoencoderKL"), "vae"),
    ("scheduler", "_class_name", _one_of(*sorted(SCHEDULERS)), "scheduler"),
    (
        "unet",
        "down_block_types",
        _list_of(_one_of("CrossAttnDownBlock2D", "DownBlock2D")),
        "blocks",
    ),
    ("unet", "up_block_types", _list_of(_one_of("CrossAttnUpBlock2D", "UpBlock2D")), "blocks"),
    ("unet", "mid_block_type", _one_of("UNetMidBlock2DCrossAttn"), "blocks"),
    ("unet", "block_out_channels", _list_of(_side), "widths"),
    ("unet", "layers_per_block", lambda value: _layers(value) or _list_of(_layers)(value), "layers"),
    ("unet", "sample_size", _side, "pixels"),
    ("unet", "cross_attention_dim", _side, "whole-number"),
    ("unet", "in_channels", _one_of(4), "channels"),
    ("unet", "out_channels", _one_of(4), "channels"),
    ("unet", "class_embed_type", _one_of(None), "no-class"),
    ("unet", "addition_time_embed_dim", lambda value: value is None or _side(value), "whole-number"),
    ("unet", "transformer_layers_per_block", _depths, "layers"),
    ("vae", "down_block_types", _list_of(_one_of("DownEncoderBlock2D")), "blocks"),
    ("vae", "up_block_types", _list_of(_one_of("UpDecoderBlock2D")), "blocks"),
    ("vae", "block_out_channels", _list_of(_side), "widths"),
    ("vae", "layers_per_block", _layers, "layers"),
    ("vae", "latent_channels", _one_of(4), "channels"),
    ("vae", "mid_block_add_attention", _one_of(True), "attention"),
    ("vae", "scaling_factor", _number, "factor"),
    ("scheduler", "prediction_type", _one_of(*PREDICTION_TYPES), "prediction-type"),
    ("scheduler", "num_train_timesteps", _whole_number(2, 100_000), "timesteps"),
    ("scheduler", "beta_schedule", _one_of(*BETA_SCHEDULES), "beta-schedule"),
    ("scheduler", "beta_start", _number, "number"),
    ("scheduler", "beta_end", _number, "number"),
)

_WANTED_OF_ENCODERS: tuple[tuple[str, Accepts, str], ...] = (
    ("hidden_size", _side, "whole-number"),
    ("vocab_size", _whole_number(1, 2**24), "whole-number"),
    ("num_hidden_layers", _whole_number(1, 256), "encoder-layers"),
    ("max_position_embeddings", _one_of(77), "places"),
)
