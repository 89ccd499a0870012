"""What suits the embedded model: `demo.toml`, a preset over every preset."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.config.options import RunConfig
from core.config.presets import Preset, apply, load_preset
from core.demo.source import is_demo

FILE = Path(__file__).with_name("demo.toml")


@lru_cache(maxsize=1)
def demo_preset() -> Preset:
    return load_preset(FILE)


def apply_for_source(config: RunConfig, source: str) -> RunConfig:
    """`config` with the demo's numbers where `source` is the demo: those of a real model would teach it nothing."""
    return apply(config, demo_preset()) if is_demo(source) else config
