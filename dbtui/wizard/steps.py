"""The steps of the wizard, as they are called wherever they are named."""

from __future__ import annotations

from core.texts import Texts

STEPS = Texts("step", {"model": "Model", "concepts": "Concepts", "parameters": "Parameters", "review": "Review"})
"""Id → title, in their order."""
