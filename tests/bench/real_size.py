"""The real size: SD 1.5's own architecture with random weights trains, saves, resumes and exports on this machine.

`python -m tests.bench.real_size FOLDER` writes a single-file source of 2 GB into FOLDER, trains two steps at 512 px
with gradient checkpointing through the real program (one, then a resumed one), and loads the export back: every
tensor has to equal the run's in half precision. It takes about 20 GB of memory and 45 GB of disk, and prints what
each part took.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from core.config.runfile import to_toml
from core.events import Checkpoint, Export, RunStarted, Step
from core.export.exporters import export_model
from core.families import FAMILIES, keys
from core.families.describe import describe
from core.families.weights import iterate_component
from core.runs.journal import read_journal
from core.tensors import read_tensors
from core.training.checkpoints import component_file, list_checkpoints
from tests.training.runs import draw_pictures, quick_config

FAMILY = FAMILIES["sd1"]


def random_source(path: Path) -> None:
    """A single file of the published shape, fp16, with the libraries' own initial weights."""
    configs = FAMILY.shipped_configs()
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {
        "unet": UNet2DConditionModel.from_config(configs["unet"]),
        "vae": AutoencoderKL.from_config(configs["vae"]),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**configs["text_encoder"])),
    }
    parts = {name: keys.classic_names(name, network.half().state_dict()) for name, network in networks.items()}
    export_model(parts, configs, {}, path, "safetensors", True, {}, family=FAMILY)


def dbtui(home: Path, *arguments: str) -> float:
    """Run the program to its end; returns its peak memory in GB."""
    command = [sys.executable, "-P", "-m", "dbtui", *arguments, "--home", str(home)]
    began = time.monotonic()
    subprocess.run(command, check=True, env=os.environ)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    print(f"dbtui {' '.join(arguments[:1])}: {time.monotonic() - began:.0f} s, {peak:.1f} GB of memory at most")
    return peak


def equal_in_half(component: str, expected: dict[str, Tensor], exported: dict[str, Tensor]) -> int:
    """How many tensors were compared; raises where one differs."""
    assert expected.keys() == exported.keys(), component
    for name, tensor in expected.items():
        assert torch.equal(tensor.half(), exported[name]), f"{component} {name}"
    return len(expected)


def main(arguments: Sequence[str]) -> None:
    folder = Path(arguments[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "random-sd15.safetensors"
    if not source.exists():
        random_source(source)
    print(f"source: {source.stat().st_size / 1e9:.2f} GB, {describe(str(source)).parameters}")
    config = quick_config(
        source,
        draw_pictures(folder / "pictures", 1, side=512),
        model__name="real",
        model__resolution=512,
        performance__gradient_checkpointing=True,
        performance__mixed_precision="bf16",
        performance__text_encoder_ratio=1.0,
        learning_rate__rate=1e-6,
        intervals__epochs=1,
        saving__export_when_done=False,
    )
    run_file = folder / "run.toml"
    run_file.write_text(to_toml(config))
    dbtui(folder, "train", str(run_file))
    dbtui(folder, "train", "real", "--resume", "--set", "intervals.epochs=2")
    dbtui(folder, "export", "real", "-o", str(folder / "real.safetensors"))

    run = folder / "runs" / "real"
    for event in read_journal(run / "journal.jsonl"):
        if isinstance(event, RunStarted | Step | Checkpoint | Export):
            print(event)
    exported = describe(str(folder / "real.safetensors"))
    _, state = list_checkpoints(run / "checkpoints")[-1]
    compared = 0
    for component in FAMILY.components:
        trained = state / component_file(component)
        origin = describe(str(source)).tensors[component]
        expected = read_tensors(trained) if trained.exists() else dict(iterate_component(component, origin))
        compared += equal_in_half(component, expected, dict(iterate_component(component, exported.tensors[component])))
    print(f"{compared} tensors of the export equal the run's in half precision")


if __name__ == "__main__":
    main(sys.argv[1:])
