"""Another run's loss, drawn behind the one that is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.events import Event
from core.runs.history import History, summary
from core.runs.journal import JournalTail
from core.texts import UserError, say
from dbtui.monitor.loss import LossPane
from dbtui.safe import safe
from dbtui.widgets.question import Answer, Question, key_of

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.monitor.screen import MonitorScreen


class Overlay:
    """The history of `run`, which grows if it still trains."""

    def __init__(self, run: Run) -> None:
        self.name = run.name
        self.history = History()
        self._tail = JournalTail(run.journal_path)

    def read(self) -> None:
        """All that is there, in a thread: a long run takes a second. Raises `UserError`."""
        self.history.add(self._tail.rest())

    def poll(self) -> list[Event]:
        """What came since, in a thread; what cannot be read now is read the next time."""
        try:
            return self._tail.poll()
        except UserError:
            return []


def others(run: Run) -> list[Run]:
    """The runs that can be laid behind this one: those that were trained. Raises `UserError`."""
    from core.runs.folder import list_runs

    return [other for other in list_runs(run.home) if other.name != run.name and _was_trained(other)]


def _was_trained(run: Run) -> bool:
    try:
        return bool(run.started and summary(run).step)
    except UserError:
        return True  # what keeps it from being read is told where it is chosen


def overlay_question(run: Run, found: list[Run]) -> Question:
    """Dismissed with the name of a run, or `None`."""
    answers = [Answer(other.name, key_of(number), safe(other.name)) for number, other in enumerate(found, 1)]
    text = say("overlay.text", "Its loss is drawn behind this one's; o takes it away again. In the gallery (g), o "
               "shows the pictures of both side by side.")  # fmt: skip
    return Question(say("overlay.question", "Which run behind {name}?", name=safe(run.name)), text, answers)


async def lay_or_take_away(monitor: MonitorScreen, loss: LossPane) -> None:
    """Lay another run's loss behind this one's, or take away the one that is there."""
    if loss.overlay is not None:
        loss.overlay = None
        await monitor.draw()
        return

    def ask(found: list[Run]) -> None:
        if found:
            runs = {run.name: run for run in found}
            monitor.app.push_screen(overlay_question(monitor.run, found),
                                    lambda chosen: read(runs[chosen]) if chosen is not None else None)  # fmt: skip
        else:
            monitor.notify(say("overlay.none", "There is no other run that was trained."), markup=False)

    def read(run: Run) -> None:
        overlay = Overlay(run)
        monitor.in_thread(overlay.read, lambda _: lay(overlay))

    async def lay(overlay: Overlay) -> None:
        if monitor.is_attached:
            loss = monitor.query_one(LossPane)
            loss.overlay = overlay
            if not loss.is_seen:
                await monitor.action_maximise("loss")
            await monitor.draw()

    monitor.ask(lambda: others(monitor.run), ask)
