"""What can be done from the monitor: with the run, with its previews and curves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.screen import ActiveBinding

from core.events import Failed
from core.runs.commands import send
from core.texts import UserError, say
from dbtui.actions import as_fits, said_as, shown_as, trains_anew, trains_first
from dbtui.copying import copy
from dbtui.monitor.after import ask_export, resume_question
from dbtui.monitor.curves import CurvePane
from dbtui.monitor.leaving import EndingScreen, LeaveDialog, last_words, stop_question
from dbtui.monitor.loss import LossPane
from dbtui.monitor.mending import offer
from dbtui.monitor.overlay import lay_or_take_away
from dbtui.monitor.samples import SampleScreen, SamplesPane
from dbtui.monitor.words import ENDED
from dbtui.safe import safe_message
from dbtui.working import Working

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.history import History
    from core.runs.launch import TrainingHandle
    from dbtui.monitor.answers import Answers


class MonitorActions(Working):
    """The keys of the monitor. Whoever shows the run reads it with `look` and shows it with `draw`."""

    run: Run
    handle: TrainingHandle | None
    history: History
    answers: Answers
    _environment: Mapping[str, str]
    _knows_the_past: bool
    _has_exports: bool
    """Whether files lie there, as it was at the last look."""

    @property
    def trains_here(self) -> bool:
        return self.handle is not None and self.handle.running

    async def look(self) -> None:
        """Read what is new and show it."""
        raise NotImplementedError

    def look_soon(self) -> None:
        """`look` for those that keys wait for."""
        raise NotImplementedError

    async def draw(self) -> None:
        """Show what is known."""
        raise NotImplementedError

    async def action_maximise(self, name: str) -> None:
        """Only this pane; once more: all of them, where there is room."""
        raise NotImplementedError

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """What does not help now stands not in the footer, but answers: u while there is nothing to use, or while what
        there is comes from an earlier life. What is needed less often stands there where there is room.
        """
        active = super().active_bindings
        active = active if self._is_useful else shown_as(active, {"use": False})
        if self.begins_anew:
            active = said_as(active, {"resume": trains_anew()})
        elif self._knows_the_past and self.history.state == "new":
            help_text = say("monitor.start.help", "Trains it: here, or in the background.")
            active = said_as(active, {"resume": (trains_first()[0], help_text)})
        return as_fits(self.app, active, ["longer", "leave_run"], self.size.width)

    @property
    def begins_anew(self) -> bool:
        """Whether it has ended and nothing of it was saved."""
        return self.history.state in ENDED and not self.history.checkpoints

    @property
    def _is_useful(self) -> bool:
        """Whether there is an export, and the run is over."""
        return not self._is_alive and (bool(self.history.exports) or self._has_exports)

    @property
    def _is_alive(self) -> bool:
        return self.history.owner is not None or self.trains_here

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes no sense now is neither in the footer nor in the palette."""
        alive = self._is_alive
        if action in ("pause", "continue"):
            return alive and (action == "continue") == self._continues
        if action in ("sample", "checkpoint", "stop"):
            return alive
        if action == "background":
            return self.trains_here
        if action == "resume":
            return not alive and self.history.state != "done"
        if action == "longer":
            return not alive and self.history.state == "done"
        if action == "export":
            return not alive and (bool(self.history.checkpoints) or self.history.state == "done")
        if action == "mend":
            return not alive and self.history.state == "failed"
        if action in ("turn", "enlarge", "copy_path"):
            return bool(self.history.samples)
        return True

    @property
    def _continues(self) -> bool:
        """Whether p lets it go on: it is paused, or was asked to."""
        is_paused = self.history.state == "paused" and not self.answers.awaits("continue")
        return is_paused or self.answers.awaits("pause")

    async def action_pause(self) -> None:
        await self._ask("pause")

    async def action_continue(self) -> None:
        await self._ask("continue")

    async def action_sample(self) -> None:
        await self._ask("sample")

    async def action_checkpoint(self) -> None:
        await self._ask("save")

    def action_stop(self) -> None:
        question = stop_question(self.run, self.history.step, paused=self.history.state == "paused")
        self.app.push_screen(question, self._stop)

    async def _stop(self, answer: str | None) -> None:
        if answer in ("save", "discard"):
            await self._ask("stop", discard=answer == "discard")

    def action_background(self) -> None:
        assert self.handle is not None
        self.app.push_screen(EndingScreen(self.run, self.handle, reason="background"), self._handed_over)

    def _handed_over(self, ended: bool | None) -> None:
        if ended:
            self.handle = None
        self.look_soon()

    def action_resume(self) -> None:
        self.app.push_screen(resume_question(self.dbtui, self.run, started=self.history.state != "new"), self._resume)

    def _resume(self, where: str | None) -> None:
        if where is not None:
            self.app.run_worker(self.go_on(where))  # of the app: it ends though this screen may be left meanwhile

    async def go_on(self, where: str) -> bool:
        """Train the run; whether it has begun."""
        begun = await self.dbtui.launch(self.run, resume=True, background=where == "background")
        if begun:
            self.handle = self.dbtui.handle_of(self.run)
        if self.is_attached:
            await self.look()
        return begun

    def action_longer(self) -> None:
        from dbtui.home.beginning import ask_longer

        ask_longer(self, self.run, self._goes_on)

    def _goes_on(self) -> None:
        self.handle = self.dbtui.handle_of(self.run)
        if self.is_attached:
            self.look_soon()

    def action_export(self) -> None:
        ask_export(self, self.run)

    def action_use(self) -> None:
        from dbtui.monitor.using import open_using

        open_using(self, self.run, self._environment)

    def action_gallery(self) -> None:
        self.dbtui.open_gallery(self.run)

    def action_mend(self) -> None:
        failed = self.history.ending
        if isinstance(failed, Failed):
            offer(self, failed)

    async def action_overlay(self) -> None:
        await lay_or_take_away(self, self.query_one(LossPane))

    def action_leave_run(self) -> None:
        """Leave the program; ask first where this or another run trains in it, or a model is being written."""
        if self.trains_here and self.handle is not None:
            self.app.push_screen(LeaveDialog(self.run, self.handle), self._left)
        elif self.dbtui.is_training or self.dbtui.is_exporting:
            self.dbtui.action_leave()
        else:
            owner = self.history.owner
            if owner is not None and self.history.silence is None:
                paused = self.history.state == "paused"
                self.dbtui.last_words = last_words(self.run, None, owner.pid, paused=paused)
            self.app.exit(0)

    def _left(self, code: int | None) -> None:
        if code is not None:
            self.app.exit(code)

    async def action_turn(self, by: int) -> None:
        samples = self.query_one(SamplesPane)
        samples.turn(by)
        await samples.tell(self.history)

    def action_enlarge(self) -> None:
        samples = self.query_one(SamplesPane)
        if samples.sample is not None:
            self.app.push_screen(SampleScreen(samples))

    def action_copy_path(self) -> None:
        path = self.query_one(SamplesPane).path
        if path is not None:
            copy(self, path)

    async def action_zoom(self, direction: int) -> None:
        for pane in self.query(CurvePane):
            await pane.zoom(direction, self.history)

    async def _ask(self, command: str, **fields: Any) -> None:
        """Write the command down for whoever trains; the answer is told when the journal has it."""
        try:
            self.answers.expect(send(self.run, command, **fields), command, time.monotonic())
        except UserError as error:
            self.notify(safe_message(error.message), severity="warning", markup=False)
        await self.draw()
