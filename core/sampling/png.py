"""PNG files that say how they were made, in the words that A1111, ComfyUI and others read (`parameters`)."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.files import write_atomic
from core.sampling.denoising import SAMPLER, SamplingSettings


@dataclass(frozen=True)
class Recipe:
    """How one picture was made. `step` is the training step of its weights, `None` for untrained ones."""

    prompt: str
    negative_prompt: str
    seed: int
    settings: SamplingSettings
    model: str
    step: int | None = None
    clip_skip: int = 1

    @property
    def parameters(self) -> str:
        """The text that web interfaces show under a picture."""
        negative = f"\nNegative prompt: {self.negative_prompt}" if self.negative_prompt else ""
        size = self.settings.size
        return (
            f"{self.prompt}{negative}\nSteps: {self.settings.steps}, Sampler: {SAMPLER}, "
            f"CFG scale: {self.settings.guidance_scale:g}, Seed: {self.seed}, Size: {size}x{size}, Model: {self.model}"
            + (f", Clip skip: {self.clip_skip}" if self.clip_skip > 1 else "")
        )


def write_png(path: Path, picture: Image.Image, recipe: Recipe) -> None:
    """Write the picture whole or not at all, its recipe in the `parameters` and `dbtui` text chunks."""
    info = PngInfo()
    info.add_itxt("parameters", recipe.parameters)
    info.add_itxt("dbtui", json.dumps(asdict(recipe), ensure_ascii=False))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", pnginfo=info)
    write_atomic(path, buffer.getvalue())
