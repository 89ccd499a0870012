"""What a source model is, and the model loaded. The registry of families; the rest stands in the modules.

Torch-free: `describe`, `vocabulary`, `keys`, `hub`. With torch: `load`, `model`.
"""

from __future__ import annotations

from core.families.family import Family
from core.families.sd1 import SD1
from core.families.sd2 import SD2, SD2_BASE
from core.families.sdxl import SDXL

FAMILIES: dict[str, Family] = {family.id: family for family in (SD1, SD2_BASE, SD2, SDXL)}

__all__ = ["FAMILIES", "Family"]
