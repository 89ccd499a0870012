"""`dbtui export`: a run's model as a file for other programs."""

from __future__ import annotations

from pathlib import Path

from core.choices.formats import EXPORT_FORMATS
from core.runs.folder import Run
from core.texts import UserError, size_in_words
from dbtui.boundary import DONE
from dbtui.printing import say


def export_model_of(
    home: Path, name: str, *, wanted: str, step: int | None, half: bool | None, output: Path | None
) -> int:
    """Write the file or folder and print its path. `wanted` (a format) may be empty, `half` may be `None`: what the
    run asks for. Raises `UserError`.
    """
    run = Run.open(home, name)
    saving = run.config().saving
    format_id = wanted or saving.export_format
    if format_id not in EXPORT_FORMATS:
        raise UserError("export.format", "There is no format {format}.", mend="Choose one of {known}.",
                        format=format_id, known=", ".join(EXPORT_FORMATS))  # fmt: skip
    from core.export.run import export_run  # torch

    written = export_run(
        run.path, step=step, format=format_id, half=saving.half if half is None else half, output=output
    )
    say(f"{run.path / written.path}, {size_in_words(written.bytes)}")
    return DONE
