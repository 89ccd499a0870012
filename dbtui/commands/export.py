"""`dbtui export`: a run's model as a file for other programs."""

from __future__ import annotations

import os
from pathlib import Path

from core.choices.formats import EXPORT_FORMATS
from core.runs.exported import export_of
from core.runs.folder import Run
from core.runs.overview import folder_bytes
from core.texts import UserError, beside, joined, say, size_in_words
from dbtui.boundary import DONE, complain
from dbtui.printing import print_lines
from dbtui.safe import safe
from dbtui.using import lines_of


def export_model_of(
    home: Path, name: str, *, wanted: str, step: int | None, half: bool | None, prompts: bool, average: bool,
    output: Path | None,
) -> int:  # fmt: skip
    """Write the file or folder and print its path. Where `wanted` (a format) is empty and `half` is `None`, the run's
    own options hold. Raises `UserError`.
    """
    run = Run.open(home, name)
    if wanted and wanted not in EXPORT_FORMATS:
        raise UserError("export.format", "There is no format {format}.", mend="Choose one of {known}.", format=wanted,
                        known=joined(EXPORT_FORMATS))  # fmt: skip
    if output is None and (there := export_of(run, wanted, step, half, average=average, prompts=prompts)):
        print_lines(beside((there, size_in_words(folder_bytes(there) or there.stat().st_size))))
        complain(say("export.already", "It was there already: nothing was written."))
        return DONE
    from core.export.run import export_run  # torch

    destination = output.expanduser().absolute() if output is not None else None
    written = export_run(run.path, step=step, format=wanted or None, half=half, prompts=prompts, average=average,
                         output=destination)  # fmt: skip
    complain(say("export.written", "Exported:"))
    print_lines(beside((run.path / written.path, size_in_words(written.bytes))))
    for line in lines_of(run, run.path / written.path, run.config(), os.environ):  # not what a script reads
        complain(safe(line))
    return DONE
