"""After a failure: what happened, why, and a key for each thing to try."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from textual.content import Content

from core.config.findings import Fix
from core.planning.remedies import remedies
from core.runs.folder import fixed_for_life, saved_steps
from core.texts import UserError, say
from dbtui import __version__
from dbtui.home.again import Before
from dbtui.safe import safe, safe_message
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.events import Failed
    from core.runs.folder import Run
    from dbtui.monitor.screen import MonitorScreen

RESUME, LOG, SOURCE, PICTURES = "resume", "log", "source", "pictures"
OF_THE_SOURCE = ("source.unreachable", "source.download", "source.missing", "source.not-downloaded")
"""No model was found or fetched: another one helps, and no option."""
OF_THE_PICTURES = ("pictures.missing", "pictures.none", "pictures.not-a-folder", "pictures.unreadable")
"""There are no pictures where they should be."""


class Mending:
    """What may help `run`, which ended with `failed`. Made in a thread: it reads the run's options.

    A change that a run with saved states cannot take makes a new run; everything else goes on with this one.
    """

    def __init__(self, run: Run, failed: Failed, size: int | None = None) -> None:
        self.run, self.failed = run, failed
        self.saved = saved_steps(run.path)
        try:
            self._config = run.config()
            self.fixes: tuple[Fix, ...] = remedies(failed.code, self._config, size)
        except UserError:  # a damaged run.toml: nothing to change in it
            self.fixes = ()

    def makes_new_run(self, fix: Fix) -> bool:
        return bool(self.saved) and bool(fixed_for_life(self._config, fix.changes))

    def apply(self, number: int, version: str) -> Run:
        """Change the run's options, or copy it with the change; the run to be trained. Raises `UserError`."""
        fix = self.fixes[number]
        if self.makes_new_run(fix):
            return self.run.copy(fix.changes, version)
        self.run.extend(fix.changes, version, begins_anew=not self.saved)
        return self.run

    def question(self) -> Question:
        """Dismissed with the number of a remedy as text, with `resume`, `log`, `source`, `pictures`, or `None`."""
        failed, where = self.failed, self._where()
        answers = [
            Answer(str(number), str(number + 1), safe_message(fix.label),
                   say("mend.new-run", "new run, from the start") if self.makes_new_run(fix) else where)
            for number, fix in enumerate(self.fixes)
        ]  # fmt: skip
        another = say("mend.source.help", "a new run, else like this one")
        if failed.code in OF_THE_SOURCE:
            answers.append(Answer(SOURCE, "c", say("mend.source", "Choose another model, or its folder"), another))
        if failed.code in OF_THE_PICTURES:
            answers.append(Answer(PICTURES, "c", say("mend.pictures", "Choose another folder of pictures"), another))
        answers.append(Answer(RESUME, "r", say("mend.resume", "Try again as it is"), where))
        answers.append(Answer(LOG, "l", say("mend.log", "Look at the log")))
        at = "" if failed.step is None else say("mend.at", " at step {step:,}", step=failed.step)
        title = say("mend.title", "{name} failed{where}. What to try?", name=safe(self.run.name), where=at)
        text = Content.styled(safe(failed.message), "$error") + "\n" + Content(safe(failed.advice))
        return Question(title, text, answers)

    def _where(self) -> str:
        if not self.saved:
            return say("mend.anew", "from the start: nothing was saved yet")
        return say("mend.from", "from step {step:,}", step=self.saved[-1])


def offer(monitor: MonitorScreen, failed: Failed) -> None:
    """Say why the run failed, and do what is chosen of that which may help."""
    started = monitor.history.run
    size = started.settled.get("resolution") if started is not None else None
    size = size if isinstance(size, int) else None
    monitor.ask(
        lambda: Mending(monitor.run, failed, size),
        lambda mending: monitor.app.push_screen(mending.question(), lambda chosen: _do(monitor, mending, chosen)),
    )


async def _do(monitor: MonitorScreen, mending: Mending, chosen: str | None) -> None:
    if chosen == RESUME:
        monitor.action_resume()
    elif chosen == LOG:
        if monitor.maximised != "log":
            await monitor.action_maximise("log")
    elif chosen == SOURCE:
        _choose_again(monitor, "model.source")
    elif chosen == PICTURES:
        _choose_again(monitor, "concepts.0.instance.directory")
    elif chosen is not None:
        monitor.app.run_worker(_train(monitor, mending, int(chosen)))  # of the app: it outlives this screen


def _choose_again(monitor: MonitorScreen, field: str) -> None:
    """The wizard with what this run was made of, at this field."""
    from dbtui.home.again import draft_of
    from dbtui.wizard.flow import start

    monitor.ask(lambda: draft_of(monitor.run),
                lambda draft: start(monitor.app, monitor.run.home, draft, field))  # fmt: skip


async def _train(monitor: MonitorScreen, mending: Mending, number: int) -> None:
    """Train the run as it was changed, or the new one that was made of it: here, unless another trains here."""
    app = monitor.dbtui
    try:
        before = await asyncio.to_thread(Before, monitor.run)
        run = await asyncio.to_thread(mending.apply, number, __version__)
    except (UserError, OSError) as error:
        app.say(error)
        return
    background = app.is_training
    if run == monitor.run:
        if not await monitor.go_on("background" if background else "here"):
            await asyncio.to_thread(before.put_back)
    elif await app.launch(run, resume=False, background=background):
        app.open_run(run.name)
    else:
        try:
            await asyncio.to_thread(_take_away, run)
        except UserError as error:
            app.say(error)


def _take_away(copy: Run) -> None:
    """Delete a new run that did not start; one that has something to tell stays. Raises `UserError`."""
    if not copy.started:
        copy.delete()
