"""Our trainer beside diffusers' own example (`examples/dreambooth/train_dreambooth.py`), on the same everything.

`python -m tests.bench.diffusers_example --script PATH [--model eighth] [--prior] [--rounds N]` trains the same model
on the same pictures with the same batch, precision and optimizer, in processes that take turns, and prints the ratio
of their steps a second (wanted: at least 1.4) and of their peak memory (at most 1.0). Without `--script`,
`$DIFFUSERS_EXAMPLES/dreambooth/train_dreambooth.py` is taken; without that it is skipped. Their script needs accelerate
and torchvision.

The time of a step is that between two updates, so that loading, class pictures and saving count on neither side. Each
does what it does by itself: theirs encodes pictures and captions at each step, ours has them in caches; ours keeps a
journal and looks for commands, theirs draws a progress bar.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.config.runfile import to_toml
from core.families import FAMILIES
from tests.tiny import clip_tokenizer, make_tiny_sd1
from tests.training.runs import draw_pictures, quick_config

WANTED_SPEED, WANTED_MEMORY = 1.4, 1.0
WARM_UP = 5
"""Updates whose time is not counted."""
PICTURES = 8
SIDES = {"tiny": 64, "eighth": 256}
EIGHTH = 8


@dataclass(frozen=True)
class Side:
    """What one process took: seconds a step by the clock, and of computing (which other work on the machine disturbs
    less), both medians; bytes at its peak until the last update, and at the peak of all, saving included.
    """

    seconds: float
    computing: float
    training_bytes: int
    peak_bytes: int


def make_eighth(path: Path) -> Path:
    """Stable Diffusion 1.5 with every width divided by eight and all of its layers, an eighth of the heads as wide as
    they were: each network's share of the arithmetic is about that in the real one.
    """
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    configs = FAMILIES["sd1"].shipped_configs()
    text = configs["text_encoder"]
    width = text["hidden_size"] // EIGHTH
    torch.manual_seed(0)
    StableDiffusionPipeline(
        unet=UNet2DConditionModel.from_config(_narrow(configs["unet"], attention_head_dim=1, cross_attention_dim=width,
                                                          sample_size=32)),
        vae=AutoencoderKL.from_config(_narrow(configs["vae"], sample_size=256)),
        text_encoder=CLIPTextModel(CLIPTextConfig(**{**text, "hidden_size": width, "intermediate_size": 4 * width,
                                                     "projection_dim": width})),
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler.from_config(configs["scheduler"]),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(path)  # fmt: skip
    return path


def _narrow(config: Any, **changes: Any) -> dict[str, Any]:
    widths = [width // EIGHTH for width in config["block_out_channels"]]
    return {**config, "block_out_channels": widths, "norm_num_groups": 8, **changes}


def timed(folder: Path, *what: str) -> Side:
    """Run a program to its end in a process of its own. Raises `RuntimeError` with what it said where it fails."""
    out = folder / "timed.json"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.bench.timed_child", str(out), *what]
    child = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    if child.returncode or not out.exists():
        raise RuntimeError(f"{what[0]} failed:\n" + "\n".join(child.stderr.strip().splitlines()[-12:]))
    found = json.loads(out.read_text())
    moments, computed, peaks = zip(*found["updates"], strict=True)
    return Side(_between(moments), _between(computed), peaks[-1], found["peak_bytes"])


def _between(times: Sequence[float]) -> float:
    """The median from one update to the next."""
    return statistics.median(after - before for before, after in list(pairwise(times))[WARM_UP:])


def theirs(script: Path, source: Path, folder: Path, chosen: argparse.Namespace) -> Side:
    side = SIDES[chosen.model]
    prior = ["--with_prior_preservation", "--class_data_dir", str(folder / "class"), "--class_prompt", "a dog",
             "--num_class_images", str(PICTURES), "--prior_loss_weight", "1.0"]  # fmt: skip
    return timed(
        folder, str(script), "--pretrained_model_name_or_path", str(source),
        "--instance_data_dir", str(folder / "pictures"), "--instance_prompt", "a sks dog",
        "--output_dir", str(folder / "theirs"), "--resolution", str(side), "--center_crop",
        "--train_batch_size", str(chosen.size), "--max_train_steps", str(chosen.steps + WARM_UP + 1),
        "--learning_rate", "1e-6", "--lr_scheduler", "constant", "--lr_warmup_steps", "0",
        "--mixed_precision", chosen.precision, "--checkpointing_steps", "1000000", "--seed", "0",
        *(prior if chosen.prior else []), *chosen.extra.split(),
    )  # fmt: skip


def ours(source: Path, folder: Path, chosen: argparse.Namespace, number: int) -> Side:
    config = quick_config(
        source,
        folder / "pictures",
        model__name=f"ours-{number}",
        model__resolution=SIDES[chosen.model],
        batch__size=chosen.size,
        concepts__0__prior__images_per_instance=int(chosen.prior),
        concepts__0__prior__directory=str(folder / "class"),
        concepts__0__prior__prompt="a dog",
        concepts__0__sample__count=0,
        prior_loss__weight=1.0,
        performance__text_encoder_ratio=0.0,
        performance__mixed_precision=chosen.precision,
        learning_rate__rate=1e-6,
        learning_rate__scheduler="constant",
        intervals__epochs=100_000,
        intervals__max_steps=chosen.steps + WARM_UP + 1,
        saving__export_when_done=True,
    )
    run_file = folder / "run.toml"
    run_file.write_text(to_toml(config))
    return timed(folder, "-m", "dbtui", "train", str(run_file), "--home", str(folder / "home"))


def script_path(chosen: str | None) -> Path | None:
    """Their script, if the user has it."""
    if chosen is not None:
        return Path(chosen).expanduser().resolve()
    examples = os.environ.get("DIFFUSERS_EXAMPLES")
    return Path(examples).expanduser().resolve() / "dreambooth" / "train_dreambooth.py" if examples else None


def parse() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--script", help="their train_dreambooth.py")
    arguments.add_argument("--model", choices=tuple(SIDES), default="tiny")
    arguments.add_argument("--prior", action="store_true", help="with prior preservation")
    arguments.add_argument("--size", type=int, default=1, help="batch size; class pictures come on top")
    arguments.add_argument("--precision", choices=("no", "bf16"), default="no")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--steps", type=int, default=30, help="steps of each side in a round")
    arguments.add_argument("--extra", default="", help="further options for their script, as one text")
    return arguments.parse_args()


def main() -> None:
    chosen = parse()
    script = script_path(chosen.script)
    if script is None or not script.is_file():
        print(f"skipped: {script or 'diffusers’ example'} is not here. Name it with --script, or its folder with "
              "$DIFFUSERS_EXAMPLES (a checkout of huggingface/diffusers has it in examples/).")  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = (make_tiny_sd1 if chosen.model == "tiny" else make_eighth)(folder / "source")
        draw_pictures(folder / "pictures", PICTURES, side=SIDES[chosen.model])
        draw_pictures(folder / "class", PICTURES, side=SIDES[chosen.model])
        rounds = []
        for number in range(chosen.rounds):
            other, own = theirs(script, source, folder, chosen), ours(source, folder, chosen, number)
            rounds.append((own, other))
            print(f"round {number + 1}: ours {_words(own)}; theirs {_words(other)}", flush=True)
    speed = statistics.median(other.seconds / own.seconds for own, other in rounds)
    computing = statistics.median(other.computing / own.computing for own, other in rounds)
    memory = statistics.median(own.training_bytes / other.training_bytes for own, other in rounds)
    whole = statistics.median(own.peak_bytes / other.peak_bytes for own, other in rounds)
    setting = f"{chosen.model}, batch {chosen.size}{' + class pictures' if chosen.prior else ''}, {chosen.precision}"
    print(f"{setting}: {len(rounds)} rounds of {chosen.steps} steps in turns, medians")
    print(f"steps/s, ours / theirs: {speed:.2f} (wanted: at least {WANTED_SPEED})")
    print(f"the same by seconds of computing: {computing:.2f}")
    print(f"peak memory, ours / theirs: {memory:.2f} (wanted: at most {WANTED_MEMORY})")
    print(f"the same with what is saved at the end (ours: a state to resume from, too): {whole:.2f}")


def _words(side: Side) -> str:
    return (f"{side.seconds * 1e3:.1f} ms a step ({side.computing * 1e3:.1f} ms of computing), "
            f"{side.training_bytes / 1e6:.0f} MB ({side.peak_bytes / 1e6:.0f} MB with saving)")  # fmt: skip


if __name__ == "__main__":
    main()
