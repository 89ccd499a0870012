"""What sending figures elsewhere needs: which modules, and being signed in."""

from __future__ import annotations

import netrc
import os
from urllib.parse import urlsplit

from core.texts import message

TENSORBOARD, WANDB = "tensorboard", "wandb"
"""Their modules."""
SERVER = "https://api.wandb.ai"
SIGNED_OUT = message(
    "tracking.signed-out", "Nobody is signed in to Weights & Biases here.",
    mend="Run `wandb login`, or set WANDB_MODE=offline to keep the figures on this computer.",
)  # fmt: skip


def signed_in() -> bool:
    """Whether figures can go anywhere: a key is known, or they are kept on this computer (WANDB_MODE=offline)."""
    if os.environ.get("WANDB_MODE") in ("offline", "disabled") or os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or SERVER).hostname or ""
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
