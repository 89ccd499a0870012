"""A run that is in order, and the world it lives in: tests spoil one thing at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.config.findings import Finding
from core.config.options import Concept, RunConfig
from core.config.parsing import with_changes
from core.data.scan import Picture, Refused, Scan
from core.families import FAMILIES
from core.families.describe import SourceDescription
from core.machine import Machine
from core.planning.checks import check
from core.planning.facts import Facts
from core.texts import message

GOOD = {
    "model.name": "my-dog",
    "model.source": "/models/sd15",
    "concepts.0.instance.directory": "/pictures/dog",
    "concepts.0.instance.identifier": "ohwx",
    "concepts.0.instance.class_noun": "dog",
    "concepts.0.prior.images_per_instance": 2,
}
GB = 1_000_000_000


def config(changes: dict[str, Any] | None = None, *, concepts: int = 1) -> RunConfig:
    plain = RunConfig(concepts=tuple(Concept() for _ in range(concepts)))
    return with_changes(plain, GOOD | (changes or {}))


def scan_of(count: int = 12, side: int = 1024, *, folder: str = "/pictures/dog", refused: tuple[str, ...] = ()) -> Scan:
    pictures = tuple(Picture(Path(folder, f"{number:02}.png"), side, side) for number in range(count))
    bad = tuple(
        Refused(Path(folder, name), message("picture.damaged", "{name} is cut short.", name=name)) for name in refused
    )
    return Scan(Path(folder), pictures, bad)


_SD2 = {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840}
PARAMETERS = {
    "sd2-base": _SD2,
    "sd2": _SD2,
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sdxl": {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840},
}


def source(family: str = "sd1", **changes: Any) -> SourceDescription:
    """Stable Diffusion 1.5, or XL, by its figures."""
    values: dict[str, Any] = {
        "source": "/models/sd15",
        "path": Path("/models/sd15"),
        "kind": "folder",
        "family": family,
        "prediction_type": "epsilon",
        "native_resolution": 512,
        "latent_factor": 8,
        "parameters": PARAMETERS[family],
        "bytes": 4_265_000_000,
        "configs": FAMILIES[family].shipped_configs(),
        "tensors": {component: {} for component in FAMILIES[family].components},
    }
    return SourceDescription(**(values | changes))


def processor(**changes: Any) -> Machine:
    values: dict[str, Any] = {
        "device": "cpu", "gpu": "", "gpu_memory": 0, "gpu_free": 0, "memory": 64 * GB, "memory_available": 60 * GB,
        "cores": 8, "knows_bf16": True,
    }  # fmt: skip
    return Machine(**(values | changes))


def card(**changes: Any) -> Machine:
    values = {"device": "cuda", "gpu": "NVIDIA RTX 4090", "gpu_memory": 24 * GB, "gpu_free": 23 * GB}
    return processor(**(values | changes))


def facts(**changes: Any) -> Facts:
    values: dict[str, Any] = {
        "scans": (scan_of(),),
        "source": source(),
        "machine": processor(),
        "free_bytes": 900 * GB,
        "local_source": "/models/sd15",
        "resolved": {"/pictures/dog": Path("/pictures/dog")},
    }
    return Facts(**(values | changes))


def found(code: str, changes: dict[str, Any] | None = None, world: Facts | None = None, concepts: int = 1) -> Finding:
    """The one finding with `code`; fails where there is none or more than one."""
    matching = [f for f in findings(changes, world, concepts) if f.code == code]
    assert len(matching) == 1, (code, [f.code for f in findings(changes, world, concepts)])
    return matching[0]


def findings(changes: dict[str, Any] | None = None, world: Facts | None = None, concepts: int = 1) -> list[Finding]:
    return check(config(changes, concepts=concepts), facts() if world is None else world)


def codes(changes: dict[str, Any] | None = None, world: Facts | None = None, concepts: int = 1) -> set[str]:
    return {finding.code for finding in findings(changes, world, concepts)}


def mended(finding: Finding, changes: dict[str, Any] | None = None, world: Facts | None = None) -> list[set[str]]:
    """The codes that remain after each of the finding's fixes."""
    return [codes({**(changes or {}), **fix.changes}, world) for fix in finding.fixes]
