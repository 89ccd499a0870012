"""What can be done with a run that nobody trains: train on, export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.app import DbtuiApp


def resume_question(app: DbtuiApp, run: Run) -> Question:
    """Dismissed with `here`, `background` or `None`; one run trains in a process at a time."""
    here = Answer("here", "h", "Here", "in this program; closing the terminal does not end it")
    background = Answer("background", "b", "In the background", "in a process of its own")
    answers = (background,) if app.is_training else (here, background)
    return Question(f"Train {safe(run.name)} on: where?", "It goes on from its last saved state.", answers)


def export_question(run: Run) -> Question:
    """Dismissed with the id of a format or `None`."""
    from core.choices.formats import formats_for

    answers = [
        Answer(known.id, str(number), known.title, known.help)
        for number, known in enumerate(formats_for(run.config().method), 1)
    ]
    return Question(f"Export {safe(run.name)} as what?", "The newest saved state is written.", answers)


def export(app: DbtuiApp, run: Run, chosen: str) -> None:
    """Write the model in a process of its own; a notice tells how it went."""
    from dbtui.app import EXPORT
    from dbtui.home.exporting import export as write

    app.notify(f"Exporting {safe(run.name)}. This may take some minutes; you can go on.", markup=False)
    app.run_worker(write(app, run.home, run.name, chosen), group=EXPORT)
