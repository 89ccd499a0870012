"""What can be done with a run that nobody trains: train on, export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.texts import say
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.app import DbtuiApp


def resume_question(app: DbtuiApp, run: Run) -> Question:
    """Dismissed with `here`, `background` or `None`; one run trains in a process at a time."""
    here = Answer("here", "h", say("where.here", "Here"),
                  say("where.here.help", "in this program; closing the terminal does not end it"))  # fmt: skip
    background = Answer("background", "b", say("where.background", "In the background"),
                        say("where.background.help", "in a process of its own"))  # fmt: skip
    answers = (background,) if app.is_training else (here, background)
    return Question(say("resume.question", "Train {name} on: where?", name=safe(run.name)),
                    say("resume.text", "It goes on from its last saved state."), answers)  # fmt: skip


def export_question(run: Run) -> Question:
    """Dismissed with the id of a format or `None`."""
    from core.choices.formats import formats_for

    answers = [
        Answer(known.id, str(number), known.title, known.help)
        for number, known in enumerate(formats_for(run.config().method), 1)
    ]
    return Question(say("export.question", "Export {name} as what?", name=safe(run.name)),
                    say("export.text", "The newest saved state is written."), answers)  # fmt: skip


def export(app: DbtuiApp, run: Run, chosen: str) -> None:
    """Write the model in a process of its own; a notice tells how it went."""
    from dbtui.app import EXPORT
    from dbtui.home.exporting import export as write

    app.notify(say("export.begun", "Exporting {name}. This may take some minutes; you can go on.",
                   name=safe(run.name)), markup=False)  # fmt: skip
    app.run_worker(write(app, run.home, run.name, chosen), group=EXPORT)
