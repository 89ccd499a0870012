"""What an exported file says about itself: SAI's ModelSpec and the run's settings.

ModelSpec 1.0.0: https://github.com/Stability-AI/ModelSpec. No path and no host name stands in it, and no text that a
person wrote (prompts, identifier, class) unless it is wished.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from core.config.options import RunConfig
from core.demo.source import is_demo

if TYPE_CHECKING:
    from torch import Tensor

    from core.families.describe import SourceDescription
    from core.families.family import Family

SETTINGS_KEY = "dbtui.settings"
MADE_KEY = "dbtui.export"
HASH_KEY = "modelspec.hash_sha256"
_PLAIN_TEXT = re.compile(r"auto|[\d.]+%?")
_PREDICTION = {"epsilon": "epsilon", "v_prediction": "v", "sample": "sample"}


def modelspec(family: Family, description: SourceDescription, title: str) -> dict[str, str]:
    """The ModelSpec fields of a model in its single file; the hash is added when the tensors are known."""
    side = description.native_resolution
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": family.modelspec,
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": title,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": f"{side}x{side}",
        "modelspec.prediction_type": _PREDICTION[description.prediction_type],
    }


def run_settings(config: RunConfig, step: int, *, prompts: bool = False) -> dict[str, str]:
    """The run's settings as one metadata entry (JSON). Texts of a person are in it only with `prompts`."""
    settings = _without_texts(config)
    settings["model"]["source"] = _public_name(config.model.source)
    if prompts:
        for public, concept in zip(settings["concepts"], config.concepts, strict=True):
            public["identifier"] = concept.instance.identifier
            public["class_noun"] = concept.instance.class_noun
            public["prompt"] = concept.instance.prompt
    return {SETTINGS_KEY: json.dumps({"step": step, **settings}, ensure_ascii=False)}


def how_made(*, half: bool, average: bool, prompts: bool) -> dict[str, str]:
    """How the state that `run_settings` names was written, as one metadata entry (JSON)."""
    return {MADE_KEY: json.dumps({"half": half, "average": average, "prompts": prompts})}


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """ModelSpec's hash: sha256 of all tensor bytes as the file holds them (sorted by name; one precision)."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(tensors[name].detach().to("cpu").contiguous().numpy().data)
    return f"0x{total.hexdigest()}"


def _without_texts(section: BaseModel) -> dict[str, Any]:
    """Numbers, switches and choices; free texts (prompts, paths, names) are left out."""
    kept: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if isinstance(value, BaseModel):
            kept[name] = _without_texts(value)
        elif isinstance(value, tuple):
            kept[name] = [_without_texts(inner) for inner in value if isinstance(inner, BaseModel)]
        elif not isinstance(value, str) or extra.get("choices") or _PLAIN_TEXT.fullmatch(value):
            kept[name] = value
    return kept


def _public_name(source: str) -> str:
    """A hub id and the demo as they are, of a path only its last part."""
    return Path(source).name if not is_demo(source) and Path(source).expanduser().exists() else source
