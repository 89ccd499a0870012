"""Every preset, for every family and method, starts a run that no check objects to."""

from __future__ import annotations

import pytest

from core.choices.adapters import METHODS, WHOLE
from core.config.findings import Level
from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.config.presets import Preset, apply, built_in_presets
from core.families import FAMILIES
from core.machine import Machine
from core.planning.checks import check
from core.planning.memory import estimate_memory
from tests.planning.example import GB, GOOD, card, facts, processor
from tests.planning.real_sources import real_source

PRESETS = built_in_presets()
ROOM = {"memory": 128 * GB, "memory_available": 120 * GB}
MACHINES = {"processor": processor(**ROOM), "old processor": processor(knows_bf16=False, **ROOM),
            "card": card(gpu_memory=80 * GB, gpu_free=79 * GB)}  # fmt: skip


def made(preset: Preset, family: str, method: str) -> RunConfig:
    """The preset's run of an ordinary subject."""
    subject = {path: value for path, value in GOOD.items() if not path.endswith("images_per_instance")}
    chosen = apply(RunConfig(), preset, family, lora=method != WHOLE)
    how = {"lora.enabled": method != WHOLE} | ({"lora.method": method} if method != WHOLE else {})
    return with_changes(chosen, subject | how | {"model.source": real_source(family).source})


def said(config: RunConfig, family: str, machine: Machine) -> dict[str, Level]:
    source = real_source(family)
    world = facts(source=source, local_source=source.source, machine=machine)
    return {finding.code: finding.level for finding in check(config, world)}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("method", [WHOLE, *METHODS])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_is_wrong_with_a_preset_for_any_family_and_method(
    preset: str, family: str, method: str, machine: str
) -> None:
    found = said(made(PRESETS[preset], family, method), family, MACHINES[machine])
    found.pop("prior.off", None)  # a style wants no class pictures
    if (preset, family, method, machine) == ("low-memory", "sdxl", WHOLE, "old processor"):
        assert found.pop("precision.no-bf16") is Level.WARNING  # its weights fit in bf16 alone
    assert found == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_little_memory_fits_the_cards_that_it_promises(family: str) -> None:
    preset, source = PRESETS["low-memory"], real_source(family)
    small = card(gpu_memory=12 * GB, gpu_free=12 * GB)
    chosen = apply(RunConfig(), preset, family)
    assert "memory" not in str(said(made(preset, family, chosen.method), family, small))
    whole = estimate_memory(made(preset, family, WHOLE), source, small).total
    assert whole < (20 if family == "sdxl" else 12) * GB
    adapters = estimate_memory(made(preset, family, "lora"), source, small).total
    assert adapters < (11.5 if family == "sdxl" else 5.5) * GB
