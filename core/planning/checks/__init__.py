"""Everything that may be wrong with a run before it starts: small pure functions of configuration and facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.config.findings import Finding, Level
from core.config.options import RunConfig
from core.planning.checks import (
    adapters,
    batches,
    images,
    learning,
    optimizing,
    pictures,
    processes,
    resources,
    run,
    source,
    time,
    tracking,
    trained,
    words,
)
from core.planning.facts import Facts

Check = Callable[[RunConfig, Facts], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    *run.CHECKS,
    *source.CHECKS,
    *pictures.CHECKS,
    *batches.CHECKS,
    *processes.CHECKS,
    *words.CHECKS,
    *time.CHECKS,
    *learning.CHECKS,
    *adapters.CHECKS,
    *optimizing.CHECKS,
    *images.CHECKS,
    *trained.CHECKS,
    *tracking.CHECKS,
    *resources.CHECKS,
)

_ORDER = tuple(Level)


def check(config: RunConfig, facts: Facts) -> list[Finding]:
    """Every finding: errors first, then warnings, then hints; within a level in the order of `run.toml`'s sections."""
    findings = [finding for each in CHECKS for finding in each(config, facts)]
    return sorted(findings, key=lambda finding: _ORDER.index(finding.level))
