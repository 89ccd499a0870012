"""Mixed precision: autocast for the forward pass, and loss scaling where fp16 needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from core.choices.adapters import WHOLE

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "no": torch.float32}


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context of a forward pass; does nothing for `no`."""
    return torch.autocast(device.type, dtype=DTYPES[precision], enabled=precision != "no")


def base_dtype(method: str, precision: str, weights: str) -> torch.dtype:
    """What the networks are held in: as `weights` says where they are trained themselves, as the precision says under
    adapters, which are always in 32 bits.
    """
    if method == WHOLE:
        return torch.bfloat16 if weights == "bf16" else torch.float32
    return DTYPES[precision]


@dataclass
class LossScale:
    """Dynamic loss scaling (Micikevicius et al. 2018) without a wait of its own.

    torch's GradScaler asks the device once more whether a gradient was infinite; the trainer already knows it from
    the gradient norm. The rule is the same: halve on infinity, double after `PATIENCE` good updates. Where `enabled`
    is false the scale is 1 and stays.
    """

    enabled: bool
    scale: float = 1.0
    good: int = 0

    PATIENCE: ClassVar[int] = 2000
    START: ClassVar[float] = 2.0**16

    @classmethod
    def for_precision(cls, precision: str) -> LossScale:
        return cls(enabled=True, scale=cls.START) if precision == "fp16" else cls(enabled=False)

    def overflowed(self) -> bool:
        """Told of a gradient that was not finite; true where a smaller scale may mend it."""
        if not self.enabled or self.scale <= 1.0:
            return False
        self.scale, self.good = self.scale / 2, 0
        return True

    def went_well(self) -> None:
        """Told of an update that was made."""
        if self.enabled:
            self.good += 1
            if self.good >= self.PATIENCE:
                self.scale, self.good = self.scale * 2, 0
