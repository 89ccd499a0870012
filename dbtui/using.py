"""How an export is fetched and used, as plain lines for commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from core.export.using import scp_line, uses
from core.texts import apart, headed, say
from dbtui.demo import draw_with, draws_in_dbtui_alone, why_alone
from dbtui.safe import safe

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.runs.folder import Run


def beside_in_words(path: Path) -> str:
    """The file that was written along with the export at `path`, if there is one."""
    from core.families.single_file import sidecar

    if not sidecar(path).is_file():
        return ""
    return say("using.beside", "{file} lies beside it: dbtui reads there what the file cannot say of its model. Keep "
               "the two together.", file=safe(sidecar(path).name))  # fmt: skip


def lines_of(run: Run, path: Path, config: RunConfig, environment: Mapping[str, str]) -> list[str]:
    """What lies beside the export at `path`; under SSH how to fetch it; then where each program wants it and what to
    type there.
    """
    beside = list(filter(None, [beside_in_words(path)]))
    if draws_in_dbtui_alone(config):
        return [
            *beside,
            why_alone(),
            say("using.draw", "Draw with it: `{command}`", command=draw_with(run, path, config)),
        ]
    line = scp_line(path, environment)
    fetch = [say("using.fetch", "Fetch it, on your own computer: `{command}`", command=line)] if line else []
    return [*beside, *fetch, *(headed(use.program, apart((use.place, use.then))) for use in uses(path, config))]
