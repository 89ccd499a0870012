"""How an export is fetched and used, as plain lines for commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.export.using import scp_line, uses
from core.texts import say

if TYPE_CHECKING:
    from core.config.options import RunConfig


def lines_of(path: Path, config: RunConfig, environment: Mapping[str, str]) -> list[str]:
    """Under SSH how to fetch the export at `path`; then where each program wants it and what to type there."""
    line = scp_line(path, environment)
    fetch = [say("using.fetch", "Fetch it, on your own computer: {command}", command=line)] if line else []
    return [*fetch, *(f"{use.program}: {use.place}; {use.then}" for use in uses(path, config))]
