"""The demo's run: the embedded model learns a dog that it has never seen from six pictures of it."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from core.config.options import PriorLossOptions, PriorOptions, RunConfig
from core.config.parsing import with_changes
from core.config.presets import apply
from core.demo.preset import demo_preset
from core.demo.source import DEMO, SUBJECT
from core.runs.folder import Run
from core.texts import UserError

IDENTIFIER, CLASS_NOUN = "sks", "dog face"


def demo_config(name: str, *, prior: bool = True) -> RunConfig:
    """The demo as a configuration. Without `prior` no class pictures hold the class: it drifts."""
    subject: dict[str, Any] = {
        "model.name": name,
        "model.source": DEMO,
        "concepts.0.instance.directory": str(SUBJECT),
        "concepts.0.instance.identifier": IDENTIFIER,
        "concepts.0.instance.class_noun": CLASS_NOUN,
    }
    config = with_changes(apply(RunConfig(), demo_preset()), subject)
    if prior:
        return config
    concept = config.concepts[0].model_copy(update={"prior": PriorOptions()})
    return config.model_copy(update={"concepts": (concept,), "prior_loss": PriorLossOptions()})


def make_demo_run(home: Path, version: str, *, prior: bool = True) -> Run:
    """A new run of the demo: `demo`, or `demo-2`, `demo-3`, … where there are some. Raises `UserError`."""
    for number in count(1):
        try:
            return Run.create(home, demo_config(DEMO if number == 1 else f"{DEMO}-{number}", prior=prior), version)
        except UserError as error:
            if error.code not in ("run.name-in-use", "run.no-run"):
                raise
    raise AssertionError("there is always a free name")
