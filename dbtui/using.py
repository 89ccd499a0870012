"""How an export is fetched and used, as plain lines for commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.export.using import scp_line, uses
from core.texts import apart, headed, say
from dbtui.demo import draw_with, draws_in_dbtui_alone, why_alone

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.runs.folder import Run


def lines_of(run: Run, path: Path, config: RunConfig, environment: Mapping[str, str]) -> list[str]:
    """Under SSH how to fetch the export at `path`; then where each program wants it and what to type there."""
    if draws_in_dbtui_alone(config):
        return [
            why_alone(),
            say("using.draw", "Draw with it: `{command}`", command=draw_with(run.name, run.home, config)),
        ]
    line = scp_line(path, environment)
    fetch = [say("using.fetch", "Fetch it, on your own computer: `{command}`", command=line)] if line else []
    return [*fetch, *(headed(use.program, apart((use.place, use.then))) for use in uses(path, config))]
