"""Export from the list of runs: in a child process, because the app imports torch only to train."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from core.runs.exported import export_of
from core.runs.folder import Run
from core.texts import UserError, say
from dbtui.safe import safe, shown_path
from dbtui.using import beside_in_words

if TYPE_CHECKING:
    from dbtui.app import DbtuiApp


async def export(app: DbtuiApp, home: Path, name: str, export_format: str, step: int | None = None) -> None:
    """Write the state of `step` of run `name`, or its newest, and tell how it went."""
    try:
        there = await asyncio.to_thread(export_of, Run(home, name), export_format, step)
    except UserError:  # the export itself says it
        there = None
    if there is not None:
        _tell(app, name, _where(there), say("export.already.title", "Exported already"))
        return
    app.notify(say("export.begun", "Exporting {name}. This may take some minutes; you can go on.", name=safe(name)),
               markup=False)  # fmt: skip
    which = [] if step is None else ["--step", str(step)]
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "dbtui", "export", name, "--format", export_format, *which, "--home",
            str(home),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        app.say(error)
        return
    output, errors = await child.communicate()
    if child.returncode == 0:
        told = output.decode("utf-8", "replace").strip().splitlines()
        words = _where(Path(told[0])) if told else say("export.done", "{name} is exported.", name=safe(name))
        beside = await asyncio.to_thread(_beside, Run(home, name))
        _tell(app, name, "\n".join(filter(None, (words, beside))), say("export.done.title", "Exported"))
    else:
        reason = errors.decode("utf-8", "replace").strip() or say(
            "export.ended", "The export ended with code {code}.", code=child.returncode)  # fmt: skip
        app.notify(safe(reason[-600:]), title=say("export.failed.title", "Not exported"), severity="error", timeout=20,
                   markup=False)  # fmt: skip


def _where(written: Path) -> str:
    """The file in one piece, and below it the folder."""
    return f"{safe(written.name)}\n{shown_path(written.parent)}"


def _beside(run: Run) -> str:
    """What was written beside the newest export, in words."""
    from core.export.using import exported_files

    return next(map(beside_in_words, exported_files(run.exports)), "")


def _tell(app: DbtuiApp, name: str, words: str, title: str) -> None:
    """What there is now, and the key that tells how to use it."""
    seen = getattr(app.screen, "run", None)
    use = say("export.use", "u in the list of runs, or in its monitor, tells how to use it.")
    if getattr(seen, "name", None) == name:
        use = say("export.use-here", "u tells how to use it.")
    app.notify(f"{words}\n{use}", title=title, timeout=12, markup=False)
