"""What can be done with a run that nobody trains: train on, export, mend what made it fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.texts import joined, say
from dbtui.demo import draws_in_dbtui_alone, why_alone
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.choices.formats import ExportFormat
    from core.runs.folder import Run
    from dbtui.app import DbtuiApp
    from dbtui.working import Working


def resume_question(app: DbtuiApp, run: Run, *, started: bool) -> Question:
    """Dismissed with `here`, `background` or `None`; one run trains in a process at a time. It says from where a run
    that has `started` before goes on.
    """
    here = Answer("here", "h", say("where.here", "Here"),
                  say("where.here.help", "in this program; closing the terminal does not end it"))  # fmt: skip
    background = Answer("background", "b", say("where.background", "In the background"),
                        say("where.background.help", "in a process of its own"))  # fmt: skip
    answers = (background,) if app.is_training else (here, background)
    if not started:
        return Question(say("resume.first", "Train {name}: where?", name=safe(run.name)), "", answers)
    from core.runs.folder import saved_steps

    saved = saved_steps(run.path)
    if not saved:
        return Question(say("resume.again", "Train {name} again from step 0: where?", name=safe(run.name)),
                        say("resume.from-nothing", "No state of it was saved."), answers)  # fmt: skip
    text = say("resume.text", "It goes on from step {step:,}, its last saved state.", step=saved[-1])
    return Question(say("resume.question", "Train {name} on: where?", name=safe(run.name)), text, answers)


def ask_export(screen: Working, run: Run) -> None:
    """Ask for the state, where a person marked another one than the newest as the best, and for the format; export."""
    from core.best import best_step
    from core.runs.folder import saved_steps

    def ask(found: tuple[list[int], int | None, Sequence[ExportFormat]]) -> None:
        saved, best, formats = found
        if best is None or best not in saved or best == saved[-1]:
            _ask_format(screen.dbtui, run, formats, None)
            return
        answers = (
            Answer(str(best), "b", say("export.best", "Step {step:,}", step=best),
                   say("export.best.help", "you marked it as the best")),
            Answer(str(saved[-1]), "n", say("export.newest", "Step {step:,}", step=saved[-1]),
                   say("export.newest.help", "the newest")),
        )  # fmt: skip
        question = Question(say("export.which", "Export which state of {name}?", name=safe(run.name)), "", answers)
        _ask_state(screen.dbtui, run, formats, question)

    screen.ask(lambda: (saved_steps(run.path), best_step(run.path), formats_of(run)), ask)


def export_step(screen: Working, run: Run, step: int, saved: Sequence[int]) -> None:
    """Export the state of `step`; where none was saved, offer the ones right before and after it."""
    from core.runs.grid import nearest

    app = screen.dbtui
    if step in saved:
        screen.ask(lambda: formats_of(run), lambda formats: _ask_format(app, run, formats, step))
        return
    title = say("export.not-saved", "No state was saved at step {step:,}.", step=step)
    if not saved:
        app.notify(say("export.none-saved", "{title} None of this run is saved yet.", title=title),
                   severity="warning", markup=False)  # fmt: skip
        return
    answers = [
        Answer(str(near), str(number), say("export.instead", "Export step {step:,}", step=near),
               say("export.before", "the last one before it") if near < step
               else say("export.after", "the first one after it"))
        for number, near in enumerate(nearest(saved, step), 1)
    ]  # fmt: skip
    text = say("export.saved-are", "Saved: {steps}. How often a state is saved, and how many are kept, are options of "
               "the run; what is marked as the best is kept once it is saved.",
               steps=joined(f"{known:,}" for known in saved))  # fmt: skip
    screen.ask(lambda: formats_of(run), lambda formats: _ask_state(app, run, formats, Question(title, text, answers)))


def formats_of(run: Run) -> Sequence[ExportFormat]:
    """Those that its method can be exported in. Raises `UserError`."""
    from core.choices.formats import formats_for

    return formats_for(run.config().method)


def _ask_state(app: DbtuiApp, run: Run, formats: Sequence[ExportFormat], question: Question) -> None:
    app.push_screen(
        question, lambda chosen: _ask_format(app, run, formats, int(chosen)) if chosen is not None else None
    )


def _ask_format(app: DbtuiApp, run: Run, formats: Sequence[ExportFormat], step: int | None) -> None:
    def chosen(wanted: str | None) -> None:
        if wanted is not None:
            export(app, run, wanted, step)

    app.push_screen(export_question(run, formats, step), chosen)


def export_question(run: Run, formats: Sequence[ExportFormat], step: int | None = None) -> Question:
    """Dismissed with the id of a format or `None`. `step` is that of the state; `None` for the newest."""
    alone = draws_in_dbtui_alone(run.config())
    answers = [
        Answer(known.id, str(number), known.title, "" if alone else known.help)
        for number, known in enumerate(formats, 1)
    ]
    which = say("export.text", "The newest saved state is written.") if step is None else say(
        "export.text-step", "The state of step {step:,} is written.", step=step)  # fmt: skip
    if alone:
        which += "\n" + why_alone()
    return Question(say("export.question", "Export {name} as what?", name=safe(run.name)), which, answers)


def export(app: DbtuiApp, run: Run, chosen: str, step: int | None = None) -> None:
    """Write the model in a process of its own; a notice tells how it went."""
    from dbtui.app import EXPORT
    from dbtui.home.exporting import export as write

    app.run_worker(write(app, run.home, run.name, chosen, step), group=EXPORT)
