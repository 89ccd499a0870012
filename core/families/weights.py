"""The tensors of a described source, read one at a time and under their file names."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from core.families import keys, pickled
from core.families.stored import StoredTensor, kind_of
from core.tensors import iterate_tensors
from core.texts import UserError, path_in_words, say


def iterate_component(component: str, stored: Mapping[str, StoredTensor]) -> Iterator[tuple[str, Tensor]]:
    """(file name, tensor) of a component as its files hold it, in the files' order and precision.

    The VAE's attention comes as matrices whichever layout the source has. No more than one tensor is held at a time.
    """
    by_file: dict[Path, dict[str, list[str]]] = {}
    for name, place in stored.items():
        by_file.setdefault(place.path, {}).setdefault(place.name, []).append(name)
    for path, names in by_file.items():
        for stored_name, whole in _iterate_file(path, list(names)):
            for name in names[stored_name]:
                tensor = _part(whole, stored[name])
                if keys.is_convolution_in_single_file(component, name) and tensor.ndim > 2:
                    tensor = tensor.reshape(tensor.shape[:2])
                yield name, tensor


def _part(tensor: Tensor, place: StoredTensor) -> Tensor:
    """What is meant of a tensor in a file, as a tensor of its own where it is not the whole."""
    if place.third is not None:
        rows = len(tensor) // 3
        return tensor[place.third * rows : (place.third + 1) * rows].clone()
    return tensor.T.contiguous() if place.transposed else tensor


def _iterate_file(path: Path, names: list[str]) -> Iterator[tuple[str, Tensor]]:
    if kind_of(path) == "safetensors":
        yield from iterate_tensors(path, names)
        return
    with _pickled_state(path) as state:
        for name in names:
            yield name, state[name]


@contextmanager
def _pickled_state(path: Path) -> Iterator[Mapping[str, Tensor]]:
    """The state dict of a `.ckpt`, its bytes mapped and read only when a tensor is used.

    `describe` has checked it already; torch's own restricted unpickler reads it, with inert stand-ins for the few
    names beside tensors that classic files hold. There is no second, less strict try.
    """
    pickled.read_tensors(path)
    try:
        with torch.serialization.safe_globals(pickled.torch_stand_ins()):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise pickled.damaged(path, str(error).splitlines()[0]) from error
    state = pickled.state_dict_in(content)
    if state is None:
        raise pickled.damaged(path, say("pickled.no-table", "it holds no table of tensors"))
    yield state


def refuse_not_finite(component: str, name: str, tensor: Tensor, path: Path) -> None:
    """Raise `UserError` for a weight that is not a number or infinite. Nothing as large as the tensor is made."""
    if tensor.numel() and not all(bool(torch.isfinite(extreme)) for extreme in tensor.aminmax()):
        raise UserError(
            "source.not-finite", "{path} is damaged: {name} in its {component} holds values that are not numbers.",
            mend="Download it again, or take another version; a merge or a conversion to 16 bits may have broken it.",
            path=path_in_words(path), name=name, component=component,
        )  # fmt: skip
