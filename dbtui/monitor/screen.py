"""The monitor of one run, in this process or another, alive or over.

It pulls: once a second it reads what the journal has gained, and draws only what is seen. The trainer never waits for
it, and a run in this process is read in the same way as one in another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ActiveBinding
from textual.widgets import Footer

from core.events import ENDINGS, Failed
from core.runs.commands import send
from core.runs.history import History
from core.runs.journal import JournalTail
from core.runs.lock import owner
from core.texts import UserError, say
from dbtui.actions import bindings, shown_as
from dbtui.copying import copy
from dbtui.demo import demo_of
from dbtui.monitor.after import ask_export, resume_question
from dbtui.monitor.answers import Answers
from dbtui.monitor.curves import CurvePane
from dbtui.monitor.leaving import EndingScreen, LeaveDialog, stop_question
from dbtui.monitor.log import LogPane
from dbtui.monitor.loss import LossPane
from dbtui.monitor.machine import Gauge, MachinePane
from dbtui.monitor.mending import offer
from dbtui.monitor.notices import notice
from dbtui.monitor.overlay import lay_or_take_away
from dbtui.monitor.pace import Pace
from dbtui.monitor.pane import TITLES, Pane
from dbtui.monitor.rate import RatePane
from dbtui.monitor.samples import SampleScreen, SamplesPane
from dbtui.monitor.state import Glance, Notice, StateLines, glance
from dbtui.monitor.tabs import TabLine
from dbtui.monitor.words import ENDED
from dbtui.safe import safe_message
from dbtui.working import Working

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.launch import TrainingHandle

ROOM_FOR_ALL = (120, 34)
"""Columns and rows from which every pane is shown at once."""
TICK_SECONDS = 1.0
SLOW_TICKS = 4
"""While nobody looks (another window, a dialog on top) or the run is paused, only each fourth tick counts."""
CHANGING = ("pause", "continue", "sample", "background", "resume", "export", "turn", "mend", "use")
"""Actions that come and go with the state of the run; the footer is drawn anew when one does."""
PANES = tuple(TITLES)


class MonitorScreen(Working):
    """`handle` is the training thread if the run trains in this process. `gauge` and `environment` are for tests."""

    CSS_PATH = "monitor.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("monitor")]
    AUTO_FOCUS = ""

    def __init__(
        self,
        run: Run,
        handle: TrainingHandle | None = None,
        *,
        gauge: Gauge | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__()
        self.run, self.handle = run, handle
        self.history = History()
        self.answers = Answers()
        self._demo = demo_of(run.path)
        self.active = "samples" if self._demo is not None else "loss"
        self.maximised: str | None = "samples" if self._demo is not None else None
        self._gauge = gauge
        self._environment = environment
        self._tail = JournalTail(run.journal_path)
        self._ticks = 0
        self._trouble = Content("")
        self._possible: tuple[bool, ...] = ()
        self.pace = Pace()
        self._has_exports = False
        """Whether files lie there, as it was at the last look."""
        self._knows_the_past = False
        """Whether the journal was read to its end once: what it says from then on is news."""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "monitor.help",
            "The run while it trains, and after.\n\n"
            "Loss: how far off the model's guesses are. It jumps from step to step, because each step is another "
            "picture with another noise; watch the smoothed line.\n"
            "Validation: the same, always on the same noise, so it can be compared. It falls while your subject is "
            "learned. If the class's rises, the model begins to forget what else the class can look like.\n"
            "Samples tell the most: when they look right, stop and save; later they only get worse.",
        )

    def compose(self) -> ComposeResult:
        yield StateLines()
        yield Notice()
        yield TabLine(list(TITLES.items()))
        with Horizontal(id="upper"):
            with Vertical(id="left"):
                yield LossPane()
                yield RatePane()
            with Vertical(id="right"):
                yield SamplesPane(self.run.path, self._demo.pictures if self._demo is not None else ())
                yield MachinePane(self._gauge)
        yield LogPane()
        yield Footer(compact=True)

    async def in_other_words(self) -> None:
        """The language has changed: everything is drawn anew, and the journal told once more, none of it as news."""
        await self.look()
        self.history, self._tail, self._knows_the_past = History(), JournalTail(self.run.journal_path), False
        overlay = self.query_one(LossPane).overlay
        await self.recompose()
        self.query_one(LossPane).overlay = overlay
        self._arrange()
        await self.look()

    async def on_mount(self) -> None:
        self._arrange()
        self.set_interval(TICK_SECONDS, self._tick)

    async def on_resize(self) -> None:
        self._arrange()
        self.call_after_refresh(self.draw)

    async def on_screen_resume(self) -> None:
        self.call_after_refresh(self.look)

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def trains_here(self) -> bool:
        return self.handle is not None and self.handle.running

    @property
    def is_on_top(self) -> bool:
        """No dialog lies over it (textual's `is_current` is true under a dialog as well)."""
        return self.app.screen is self

    async def _tick(self) -> None:
        self._ticks += 1
        watched = self.app.app_focus and self.is_on_top
        idle = self.history.state in ENDED or self.history.state == "paused"
        now = time.monotonic()
        if getattr(self.app._driver, "is_behind", False):
            self.pace.held_up(now)
        wanted = (watched and not idle) or self._ticks % SLOW_TICKS == 0
        if self.answers.waiting or (wanted and self.pace.is_due(now)):
            await self.look()
        elif watched and not idle and not getattr(self.app._driver, "is_behind", False):
            told = self._glance()
            if told.waited:  # the one line that costs next to nothing: nothing else tells that it moves
                self.query_one(StateLines).tell(told)

    def _glance(self) -> Glance:
        return glance(self.run.name, self.history, now=time.time(), asked=self.answers.asked)

    async def look(self) -> None:
        """Read what is new and draw it."""
        began = time.thread_time()
        self.pace.begin(time.monotonic())
        try:
            self.history.observe(owner(self.run.lock_path))
            happened = self._tail.poll()
            self._has_exports = any(self.run.exports.glob("[!.]*"))
            self._trouble = Content("")
        except UserError as error:
            happened = []
            self._trouble = Content.styled(safe_message(error.message), "$error")
        self.history.add(happened)
        self.query_one(LogPane).add(happened)
        for told in self.answers.take(happened, time.monotonic()):
            self.notify(told.text, severity=told.severity, timeout=told.seconds, markup=False)
        if self._tail.behind:
            self.call_later(self.look)
            return
        overlay = self.query_one(LossPane).overlay
        if overlay is not None:
            overlay.follow()
        for event in happened if self._knows_the_past else ():
            if isinstance(event, ENDINGS):
                self.dbtui.announce(self.run.name, event)
        self._knows_the_past = True
        if self.is_on_top and not getattr(self.app._driver, "is_behind", False):
            await self.draw()
            self.call_after_refresh(lambda: self.pace.took(time.thread_time() - began, time.monotonic()))

    async def draw(self) -> None:
        self.query_one(StateLines).tell(self._glance())
        here = self.trains_here
        said = notice(self.run, self.history, self._trouble, here, self._environment, self._demo)
        self.query_one(Notice).tell(said)
        for pane in self.query(Pane):
            await pane.tell(self.history)
        possible = tuple(self.check_action(action, ()) is True for action in CHANGING)
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    # --- layout -------------------------------------------------------------------------------------------------

    @property
    def shows_all(self) -> bool:
        return self.maximised is None and self.size.width >= ROOM_FOR_ALL[0] and self.size.height >= ROOM_FOR_ALL[1]

    def _arrange(self) -> None:
        """Every pane where there is room, else one of them and a line of tabs."""
        everything, only = self.shows_all, self.maximised or self.active
        for name in PANES:
            self.query_one(f"#pane-{name}").display = everything or name == only
        self.query_one("#left").display = everything or only in ("loss", "rate")
        self.query_one("#right").display = everything or only in ("samples", "machine")
        self.query_one("#upper").display = everything or only != "log"
        self.set_class(everything, "-all")
        tabs = self.query_one(TabLine)
        tabs.display = not everything
        tabs.choose(only)

    async def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        await self.action_maximise(event.name)

    async def action_maximise(self, name: str) -> None:
        """Only this pane; once more: all of them, where there is room."""
        again = self.maximised == name
        self.maximised = None if again else name
        self.active = name
        self._arrange()
        self.call_after_refresh(self.draw)

    async def key_escape(self) -> None:
        if self.maximised is not None:
            await self.action_maximise(self.maximised)

    # --- keys ---------------------------------------------------------------------------------------------------

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """While it trains there is no room in the footer for what an earlier life has exported."""
        return shown_as(super().active_bindings, {"use": not self._is_alive})

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
        if action == "export":
            return not alive and (bool(self.history.checkpoints) or self.history.state == "done")
        if action == "mend":
            return not alive and self.history.state == "failed"
        if action == "use":
            return bool(self.history.exports) or self._has_exports
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
        self.app.push_screen(stop_question(self.run, self.history.step), self._stop)

    async def _stop(self, answer: str | None) -> None:
        if answer in ("save", "discard"):
            await self._ask("stop", discard=answer == "discard")

    def action_background(self) -> None:
        assert self.handle is not None
        self.app.push_screen(EndingScreen(self.run, self.handle, reason="background"), self._handed_over)

    async def _handed_over(self, ended: bool | None) -> None:
        if ended:
            self.handle = None
        await self.look()

    def action_resume(self) -> None:
        self.app.push_screen(resume_question(self.dbtui, self.run), self._resume)

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

    def action_export(self) -> None:
        ask_export(self, self.run)

    def action_use(self) -> None:
        from dbtui.monitor.using import UsingScreen, found_of

        self.ask(lambda: found_of(self.run),
                 lambda found: self.app.push_screen(UsingScreen(self.run, *found, self._environment)))  # fmt: skip

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
