"""What is chosen before anything is typed: by the program, by a preset, and for the embedded model by `demo.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.config.options import RunConfig
from core.config.presets import Preset, apply, load_preset, with_values
from core.demo.source import is_demo

FILE = Path(__file__).with_name("demo.toml")

OF_THE_SUBJECT: Mapping[str, tuple[str, ...]] = {
    "concepts.*.prior.images_per_instance": ("concepts.*.prior.", "prior_loss."),
    "performance.text_encoder_ratio": ("performance.text_encoder_rate",),
}
"""What a preset is about, whatever the model: how much of the class is kept, how long the text encoder learns. With
each what of the demo's numbers has no use where it is 0.
"""


@lru_cache(maxsize=1)
def demo_preset() -> Preset:
    return load_preset(FILE)


def chosen(
    config: RunConfig, preset: Preset | None = None, *, source: str, family: str = "", lora: bool | None = None
) -> RunConfig:
    """`config` with what the preset sets for a family and for LoRA (see `apply`).

    Where `source` is the demo its own numbers go over it, because those of a real model would teach it nothing; but not
    over what the preset is about (`OF_THE_SUBJECT`).
    """
    if preset is not None:
        config = apply(config, preset, family, lora)
    if not is_demo(source):
        return config
    return with_values(config, demo_values(preset.values_for(family, lora) if preset is not None else {}))


def demo_values(of_preset: Mapping[str, Any]) -> dict[str, Any]:
    """The demo's numbers that go over a preset with the values `of_preset`."""
    values = dict(demo_preset().values)
    for path, companions in OF_THE_SUBJECT.items():
        if path in of_preset:
            useless = companions if not of_preset[path] else ()
            values = {name: value for name, value in values.items() if name != path and not name.startswith(useless)}
    return values
