"""The real sizes: a model of the published architecture with random weights trains, saves and exports on this machine.

`python -m tests.bench.real_size FOLDER [--family sdxl] [--method lora]` writes a source (half precision, no download)
into FOLDER, trains two steps of one picture through the real program, and prints what each part took beside what was
estimated before. `--round` also resumes, exports and loads the export back: every tensor has to equal the run's in
half precision. `--set` changes any option of the run.

Training the whole of SD 1.5 takes about 17 GB of memory and 45 GB of disk, LoRA of SDXL about 10 GB and 15.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor

from core.config.options import RunConfig
from core.config.parsing import read_assignment, with_changes
from core.config.runfile import to_toml
from core.events import Checkpoint, Export, Measured, RunStarted, Step
from core.families import FAMILIES
from core.families.describe import SourceDescription, describe
from core.families.weights import iterate_component
from core.machine import inspect_machine
from core.planning.memory import estimate_memory
from core.runs.journal import read_journal
from core.tensors import read_tensors
from core.training.checkpoints import component_file, list_checkpoints
from tests.bench.watched import Watched, watch
from tests.training.runs import draw_pictures, quick_config

MAKE = """
import sys
from pathlib import Path
import torch
from core.bench.source import make_source
make_source(sys.argv[1], Path(sys.argv[2]), real=True, device=torch.device("cpu"), single_file=len(sys.argv) > 3)
"""
LOAD = """
import sys
from core.families.describe import describe
from core.families.load import load_model
found = describe(sys.argv[1])
if len(sys.argv) > 2:
    import torch
    load_model(found, device="cpu", dtype=getattr(torch, sys.argv[2]))
"""


def source_of(folder: Path, family: str, format: str) -> Path:  # noqa: A002 - the option's own name
    """The source in `folder`, written first where it is not there: in a process of its own, for it takes memory."""
    single = [".safetensors"] if format == "safetensors" else []
    path = folder / "".join([f"{family}-real", *single])
    if not path.exists():
        subprocess.run([sys.executable, "-c", MAKE, family, str(folder), *single], check=True)
    return path


def dbtui(home: Path, *arguments: str) -> Watched:
    """Run the program to its end."""
    watched = watch([sys.executable, "-P", "-m", "dbtui", *arguments, "--home", str(home)])
    print(f"dbtui {arguments[0]}: {watched.seconds:.0f} s, {watched.peak / 1e9:.2f} GB of memory at most")
    return watched


def show_loading(source: SourceDescription) -> None:
    """What detection and loading take of memory, against the size of the weights on the disk."""
    print(f"source: {source.bytes / 1e9:.2f} GB on the disk, {sum(source.parameters.values()) / 1e6:.0f} M numbers")
    for title, more in (("import and detection", []), ("… and loaded in bf16", ["bfloat16"])):
        watched = watch([sys.executable, "-c", LOAD, str(source.path), *more])
        print(f"  {title}: {watched.seconds:.1f} s, {watched.peak / 1e9:.2f} GB of memory at most")


def show_training(config: RunConfig, source: SourceDescription, watched: Watched, run: Path) -> None:
    """What was held in each phase, beside the estimate."""
    events = list(read_journal(run / "journal.jsonl"))
    for name, seconds, most in watched.by_phase(events):
        print(f"  {name:16} {seconds:7.1f} s  {most / 1e9:6.2f} GB")
    for event in events:
        if isinstance(event, RunStarted | Measured | Step | Checkpoint | Export):
            print(f"  {event}")
    need = estimate_memory(config, source, inspect_machine())
    training = max(most for name, _, most in watched.by_phase(events) if name not in ("saving", "exporting"))
    print(f"estimate {need.total / 1e9:.2f} GB, measured {training / 1e9:.2f} GB: {need.total / training - 1:+.1%}")
    print("  " + ", ".join(f"{count / 1e9:.2f} {what}" for what, count in need.parts))
    print("  " + ", ".join(f"{(m.total + need.libraries) / 1e9:.2f} {m.name}" for m in need.moments))


def equal_in_half(component: str, expected: dict[str, Tensor], exported: dict[str, Tensor]) -> int:
    """How many tensors were compared; raises where one differs."""
    assert expected.keys() == exported.keys(), component
    for name, tensor in expected.items():
        assert torch.equal(tensor.half(), exported[name]), f"{component} {name}"
    return len(expected)


def round_trip(home: Path, source: SourceDescription, run: Path) -> None:
    """Resume for a step, export, and compare the export with the newest state."""
    dbtui(home, "train", run.name, "--resume", "--set", "intervals.epochs=3")
    dbtui(home, "export", run.name, "-o", str(home / "exported.safetensors"))
    exported = describe(str(home / "exported.safetensors"))
    _, state = list_checkpoints(run / "checkpoints")[-1]
    compared = 0
    for component in FAMILIES[source.family].components:
        trained = state / component_file(component)
        expected = (read_tensors(trained) if trained.exists()
                    else dict(iterate_component(component, source.tensors[component])))  # fmt: skip
        compared += equal_in_half(component, expected, dict(iterate_component(component, exported.tensors[component])))
    print(f"{compared} tensors of the export equal the run's in half precision")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--family", choices=FAMILIES, default="sd1")
    parser.add_argument("--method", choices=("whole", "lora", "dora", "loha", "lokr"), default="whole")
    parser.add_argument("--format", choices=("safetensors", "diffusers"), default="safetensors")
    parser.add_argument("--set", action="append", default=[], metavar="OPTION=VALUE", dest="assignments")
    parser.add_argument("--name", default="real")
    parser.add_argument("--load", action="store_true", help="only detect and load the source")
    parser.add_argument("--round", action="store_true", help="resume, export and compare too (whole models)")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = describe(str(source_of(folder, asked.family, asked.format)))
    if asked.load:
        show_loading(source)
        return
    adapters = {} if asked.method == "whole" else {"lora__enabled": True, "lora__method": asked.method}
    config = quick_config(
        source.path,
        draw_pictures(folder / "pictures", 1, side=512),
        model__name=asked.name,
        model__resolution=512,
        performance__gradient_checkpointing=True,
        performance__mixed_precision="bf16",
        performance__text_encoder_ratio=0.0,
        learning_rate__rate=1e-6,
        **adapters,
    )
    config = with_changes(config, dict(read_assignment(text) for text in asked.assignments))
    run_file = folder / f"{asked.name}.toml"
    run_file.write_text(to_toml(config))
    watched = dbtui(folder, "train", str(run_file))
    run = folder / "runs" / asked.name
    show_training(config, source, watched, run)
    if asked.round:
        round_trip(folder, source, run)


if __name__ == "__main__":
    main()
