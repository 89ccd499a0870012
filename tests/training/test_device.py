"""What would happen on a GPU, seen without one: the `meta` device stands in for it.

It refuses what mixes devices, as a GPU does, and a copy to it that is not `non_blocking` would make the host wait.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from core.families.load import noise_schedule
from core.training.device import settle
from tests.training.runs import first_gradients, quick_config, ready_trainer

META = torch.device("meta")


class BlockingCopies(TorchDispatchMode):
    """Notes every copy between host and device that the host would wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.name() == "aten::_to_copy" and not kwargs.get("non_blocking"):
            source = args[0].device
            target = torch.device(kwargs.get("device") or source)
            if target != source:
                self.found.append(f"{tuple(args[0].shape)} from {source} to {target}")
        return func(*args, **kwargs)


@pytest.mark.parametrize("text_encoder_ratio", [0.0, 1.0])
def test_a_step_keeps_to_its_device_and_waits_for_no_copy(
    tmp_path: Path, tiny_sd1: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, text_encoder_ratio: float
) -> None:
    config = quick_config(
        tiny_sd1,
        pictures,
        performance__text_encoder_ratio=text_encoder_ratio,
        performance__snr_gamma=5.0,
        batch__accumulation=2,
        concepts__0__prior__images_per_instance=1,
    )
    trainer = ready_trainer(config, tmp_path / "run")
    on_device(trainer, monkeypatch)
    with BlockingCopies() as copies, pytest.raises(NotImplementedError, match="meta"):
        first_gradients(trainer)  # ends where the figures are asked for
    assert copies.found == ["(3,) from meta to cpu"], "loss, prior loss and norm, once"
    assert trainer._gradients._ahead is not None and trainer._gradients._ahead[1].x0.device == META
    assert all(p.grad is not None and p.grad.device == META for p in trainer._model.unet.parameters())


def on_device(trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move everything that training keeps on the device there."""

    def send(tensor: Tensor, device: torch.device) -> Tensor:
        return tensor.to(device, non_blocking=True)  # there is no pinned memory without a GPU

    for module in ("core.data.caches", "core.training.batches", "core.training.conditioning"):
        monkeypatch.setattr(f"{module}.send", send)
    monkeypatch.setattr("core.training.gradients.autocast", lambda *_: contextlib.nullcontext())
    trainer._settled = trainer._gradients._settled = replace(trainer._settled, device=META)
    model, assembler, conditioning = trainer._model, trainer._prepared.assembler, trainer._conditioning
    for network in model.networks.values():
        network.to(META)
    optimization = trainer._optimization
    for component in optimization.components:  # unlike on a GPU these are new ones
        optimization._weights[component] = dict(model.networks[component].named_parameters())
    model.schedule = noise_schedule(model.configs["scheduler"], META)
    latents = assembler._latents
    latents.device = META
    latents._tables = {
        size: replace(table, mean=table.mean.to(META), std=table.std.to(META), device=META)
        for size, table in latents._tables.items()
    }
    trainer._gradients._error_weights = trainer._gradients._error_weights.to(META)
    conditioning._device = META
    conditioning._tokens = {name: ids.to(META) for name, ids in conditioning._tokens.items()}
    if conditioning._cache is not None:
        conditioning._cache._device = META
        tables = conditioning._cache._tables
        conditioning._cache._tables = {name: rows.to(META) for name, rows in tables.items()}


def test_a_run_keeps_its_number_of_threads_and_else_takes_what_is_asked_for(tiny_sd1: Path, pictures: Path) -> None:
    asked, free = (quick_config(tiny_sd1, pictures, performance__threads=count) for count in (2, 0))
    assert settle(asked, 64, threads=3).threads == 3
    assert settle(asked, 64, threads=None).threads == 2
    assert settle(free, 64, threads=None).threads == torch.get_num_threads()
