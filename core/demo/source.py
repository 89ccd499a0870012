"""`source = "demo"`: the small Stable Diffusion that comes with the program. Needs nothing of it to be loaded."""

from __future__ import annotations

from pathlib import Path

from core.texts import UserError

DEMO = "demo"
"""What stands in `model.source`. A folder of that name in the current directory is `./demo`."""
MODEL = Path(__file__).with_name("model")
PICTURES = Path(__file__).with_name("pictures")
SUBJECT = PICTURES / "subject"
"""What `dbtui demo` teaches."""


def is_demo(source: str) -> bool:
    """Whether a source is the embedded model, and so neither a path nor a hub id."""
    return source == DEMO


def demo_model() -> Path:
    """The embedded model's diffusers folder. `UserError` where an installation lacks it."""
    if not (MODEL / "model_index.json").is_file():
        raise UserError(
            "source.no-demo", "The demo's model is missing from this installation: there is no {path}.",
            mend="Install dbtui anew. A folder of your own that is named demo is called ./demo.", path=MODEL,
        )  # fmt: skip
    return MODEL
