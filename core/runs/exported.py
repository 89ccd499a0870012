"""What of a run lies in its folder of exports already."""

from __future__ import annotations

from pathlib import Path

from core.export.there import exported_already
from core.runs.folder import Run, saved_steps


def export_of(
    run: Run, format: str, step: int | None, half: bool | None = None, *, average: bool = False,  # noqa: A002
    prompts: bool = False,
) -> Path | None:  # fmt: skip
    """The export that holds the saved state of `step` (the newest where `None`) in this format; the run's own options
    hold where `format` is empty and `half` is `None`. `None` where there is none. Raises `UserError` where the options
    cannot be read.
    """
    config, saved = run.config(), saved_steps(run.path)
    if not saved or (step is not None and step not in saved):
        return None
    return exported_already(
        run.exports, config, step=saved[-1] if step is None else step, format=format or config.export_format,
        half=config.saving.half if half is None else half, average=average, prompts=prompts,
    )  # fmt: skip
