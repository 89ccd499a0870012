"""What can be done with a run that nobody trains: train on, export."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from core.texts import UserError
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.launch import TrainingHandle
    from dbtui.app import DbtuiApp


def resume_question(app: DbtuiApp, run: Run) -> Question:
    """Dismissed with `here`, `background` or `None`; one run trains in a process at a time."""
    here = Answer("here", "h", "Here", "in this program; closing the terminal does not end it")
    background = Answer("background", "b", "In the background", "in a process of its own")
    answers = (background,) if app.is_training else (here, background)
    return Question(f"Train {safe(run.name)} on: where?", "It goes on from its last saved state.", answers)


async def resume(app: DbtuiApp, run: Run, where: str) -> TrainingHandle | None:
    """Train on; the training thread if that is in this process. What stands in the way is said."""
    from core.runs.launch import launch_background, launch_thread

    try:
        if where == "background":
            app.notify("Starting a process for it. It takes some seconds.", markup=False)
            await asyncio.to_thread(launch_background, run, resume=True)
            return None
        app.training, app.training_run = launch_thread(run, resume=True), run
        app.lead_output(run.log_path)
    except UserError as error:
        app.say(error)
        return None
    return app.training


def export_question(run: Run) -> Question:
    """Dismissed with the id of a format or `None`."""
    from core.choices.formats import EXPORT_FORMATS

    answers = [
        Answer(known.id, str(number), known.title, known.help)
        for number, known in enumerate(EXPORT_FORMATS.values(), 1)
    ]
    return Question(f"Export {safe(run.name)} as what?", "The newest saved state is written.", answers)


def export(app: DbtuiApp, run: Run, chosen: str) -> None:
    """Write the model in a process of its own; a notice tells how it went."""
    from dbtui.home.exporting import export as write

    app.notify(f"Exporting {safe(run.name)}. This may take some minutes; you can go on.", markup=False)
    app.run_worker(write(app, run.home, run.name, chosen), exit_on_error=False)
