"""Adapters in files: kohya's names (A1111, ComfyUI, Forge, diffusers) and diffusers' own, and a reader of the former.

kohya joins the parts of a module's name with underscores, so a name is read by looking it up among those of the model
it belongs to: `lora_te_text_model_encoder_layers_0_mlp_fc1` is one of the first text encoder's modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from core.adapters.kind import Kind
from core.adapters.parts import Parts, by_module, kohya_parts
from core.tensors import read_tensors
from core.texts import UserError, listed, path_in_words

Stored = Mapping[str, Mapping[str, Tensor]]
"""Component → name in our states → tensor: what was trained."""


def kohya_prefix(component: str, text_encoders: Sequence[str]) -> str:
    """`lora_unet`, `lora_te` where there is one text encoder, `lora_te1` and `lora_te2` where there are two."""
    if component == "unet":
        return "lora_unet"
    return "lora_te" if len(text_encoders) == 1 else f"lora_te{text_encoders.index(component) + 1}"


def kohya_tensors(trained: Stored, kind: Kind) -> Iterator[tuple[str, Tensor]]:
    """What was trained under kohya's and LyCORIS' names, alphas included."""
    for component, stored in trained.items():
        prefix = kohya_prefix(component, kind.text_encoders)
        for module, parts in by_module(stored).items():
            for part, tensor in kohya_parts(parts, kind.strengths[component]).items():
                yield f"{prefix}_{module.replace('.', '_')}.{part}", tensor


def diffusers_tensors(trained: Stored, kind: Kind) -> Iterator[tuple[str, Tensor]]:
    """What was trained under diffusers' names. Its files hold no alpha: the strength is in the second factor."""
    for component, stored in trained.items():
        strength = kind.strengths[component]
        for name, tensor in stored.items():
            scale = strength.alpha / strength.rank if name.endswith(".lora_B.weight") else 1.0
            yield f"{component}.{name}", tensor.detach() * scale


def read_kohya(path: Path, modules: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Parts]]:
    """Component → module → parts of a file with kohya's names. `modules` are those of the model it is for, by
    component, under their names in files. Raises `UserError` for a file that is not for this model.
    """
    encoders = [component for component in modules if component not in ("unet", "vae")]
    known = {
        f"{kohya_prefix(component, encoders)}_{module.replace('.', '_')}": (component, module)
        for component, names in modules.items()
        if component != "vae"
        for module in names
    }
    found: dict[str, dict[str, dict[str, Tensor]]] = {}
    foreign: list[str] = []
    for name, tensor in read_tensors(path).items():
        key, _, part = name.partition(".")
        if key in known:
            component, module = known[key]
            found.setdefault(component, {}).setdefault(module, {})[part] = tensor
        else:
            foreign.append(name)
    if foreign:
        raise UserError(
            "adapter.foreign", "{path} is no LoRA for this model: it holds {names}.",
            mend="Choose one that was made for this kind of model.", path=path_in_words(path),
            names=listed(foreign[:3]),
        )  # fmt: skip
    return {component: dict(parts) for component, parts in found.items()}
