"""The monitor of one run, in this process or another, alive or over.

It pulls: once a second it reads what the journal has gained, and draws only what is seen. The trainer never waits for
it, and a run in this process is read in the same way as one in another.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content

from core.events import ENDINGS
from core.runs.history import History
from core.texts import say
from dbtui.actions import bindings
from dbtui.demo import demo_of
from dbtui.monitor.answers import Answers
from dbtui.monitor.doing import MonitorActions
from dbtui.monitor.log import LogPane
from dbtui.monitor.looking import Seen, Watch
from dbtui.monitor.loss import LossPane
from dbtui.monitor.machine import Gauge, MachinePane
from dbtui.monitor.notices import notice
from dbtui.monitor.pace import Pace
from dbtui.monitor.pane import TITLES, Pane
from dbtui.monitor.rate import RatePane
from dbtui.monitor.samples import SamplesPane
from dbtui.monitor.state import Glance, Notice, StateLines, glance
from dbtui.monitor.tabs import TabLine
from dbtui.monitor.words import ENDED, QUIET, with_recogniser
from dbtui.safe import safe_message
from dbtui.widgets.footer import Footer

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.launch import TrainingHandle
    from dbtui.monitor.overlay import Overlay

ROOM_FOR_ALL = (120, 34)
"""Columns and rows from which every pane is shown at once."""
TICK_SECONDS = 1.0
SLOW_TICKS = 4
"""While nobody looks (another window, a dialog on top) or the run is paused, only each fourth tick counts."""
CHANGING = ("pause", "continue", "sample", "background", "resume", "longer", "export", "turn", "mend")
"""Actions that come and go with the state of the run; the footer is drawn anew when one does."""
PANES = tuple(TITLES)


class MonitorScreen(MonitorActions):
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
        self._has_chosen = False
        """Whether a pane was chosen on a key: until then the previews come first, once there are any."""
        self._gauge = gauge
        self._environment = environment
        self._watch = Watch(run)
        self._looking = asyncio.Lock()
        self._ticks = 0
        self._trouble = Content("")
        self._possible: tuple[bool, ...] = ()
        self.pace = Pace()
        self._has_exports = self._waits = False
        self._knows_the_past = False
        """Whether the journal was read to its end once: what it says from then on is news."""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        said = say(
            "monitor.help",
            "The run while it trains, and after. What the curves mean stands below the keys.\n\n"
            "Loss: how far off the model's guesses are. It jumps from step to step (“each step”), because each step is "
            "another picture with another noise: watch the “average”. With class pictures, “yours” is the average of "
            "your pictures alone, “class” that of the class pictures.\n"
            "Learning rate: how far each update goes; the text encoder has a line of its own where its rate differs "
            "from that of the U-Net, the part that draws.\n"
            "Validation: the loss of some pictures, always on the same noise, so it can be compared. It falls while "
            "your subject is learned. If the “class validation” rises, the model begins to forget what else the class "
            "can look like.\n"
            "Samples tell the most: when they look right, stop and save; later they only get worse.",
        )
        return with_recogniser(said, next(reversed(self.history.samples), None))

    def compose(self) -> ComposeResult:
        yield StateLines()
        yield Notice()
        yield TabLine(list(TITLES.items()))
        with Horizontal(id="upper"):
            with Vertical(id="left"):
                yield LossPane(self.run.name)
                yield RatePane()
            yield SamplesPane(self.run.path, self._demo.pictures if self._demo is not None else ())
        with Horizontal(id="lower"):
            yield LogPane()
            yield MachinePane(self._gauge)
        yield Footer()

    async def in_other_words(self) -> None:
        """The language has changed: everything is drawn anew, and the journal told once more, none of it as news."""
        await self.look()
        async with self._looking:
            self.history, self._watch, self._knows_the_past = History(), Watch(self.run), False
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
        """What was read under another screen stands at the top in the first frame; what came since, in the next."""
        if self._knows_the_past:
            self._tell_top(self._glance())
            self.call_after_refresh(lambda: self.run_worker(self._came_back(), group="look"))
        else:
            self.call_after_refresh(self.look_soon)

    async def _came_back(self) -> None:
        """What stands at the top is drawn though a slow line may still carry the pictures: a key asked for it."""
        await self.look()
        if self.is_on_top and not self._is_gone:
            self._tell_top(self._glance())

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def is_on_top(self) -> bool:
        """No dialog lies over it (textual's `is_current` is true under a dialog as well)."""
        return self.app.screen is self

    def _tick(self) -> None:
        self._ticks += 1
        watched = self.app.app_focus and self.is_on_top
        is_over = self.history.state in ENDED and not self._is_alive  # its process may still go: the keys change then
        idle = is_over or self.history.state == "paused"
        now = time.monotonic()
        if getattr(self.app._driver, "is_behind", False):
            self.pace.held_up(now)
        wanted = (watched and not idle) or self._ticks % SLOW_TICKS == 0
        if self.answers.waiting or (wanted and self.pace.is_due(now)):
            self.look_soon()
        elif watched and not idle and not getattr(self.app._driver, "is_behind", False):
            told = self._glance()
            if told.waited:  # what costs next to nothing: nothing else tells that it moves
                self._tell_top(told)

    def _glance(self) -> Glance:
        return glance(self.run.name, self.history, now=time.time(), asked=self.answers.asked)

    def look_soon(self) -> None:
        """`look` for those that keys wait for."""
        if not self._looking.locked():
            self.run_worker(self.look(), group="look")

    async def look(self) -> None:
        """Read in a thread what is new, then draw it: one look after the other."""
        async with self._looking:
            behind = True
            while behind and not self._is_gone:
                overlay = self.query_one(LossPane).overlay
                seen = await asyncio.to_thread(self._watch.read, overlay)
                if self._is_gone:
                    return
                behind = seen.behind
                await self._take(seen, overlay)

    @property
    def _is_gone(self) -> bool:
        """It is being taken away: some of its parts may be gone already."""
        return not (self.is_attached and self.display)

    async def _take(self, seen: Seen, overlay: Overlay | None) -> None:
        began = time.thread_time()
        self.pace.begin(time.monotonic())
        if seen.knows_holder:
            self.history.observe(seen.holder)
        self._trouble = Content.styled(safe_message(seen.trouble), "$error") if seen.trouble else Content("")
        if seen.trouble is None:
            self._has_exports, self._waits = seen.has_exports, seen.waits
        happened = seen.happened
        self.history.add(happened)
        self.query_one(LogPane).add(happened)
        for told in self.answers.take(happened, time.monotonic()):
            self.notify(told.text, severity=told.severity, timeout=told.seconds, markup=False)
        if seen.behind:
            return
        if overlay is not None:
            overlay.history.add(seen.others)
        for event in happened if self._knows_the_past else ():
            if isinstance(event, ENDINGS):
                self.dbtui.announce(self.run.name, event)
        self._knows_the_past = True
        if self.history.samples and self.active == "loss" and not self._has_chosen:
            self.active = "samples"
            self._arrange()
            self.call_after_refresh(self.draw)
        if self.is_on_top and not getattr(self.app._driver, "is_behind", False):
            await self.draw()
            self.call_after_refresh(lambda: self.pace.took(time.thread_time() - began, time.monotonic()))

    async def draw(self) -> None:
        if not self._knows_the_past:
            self.query_one(Notice).tell(Content.styled(say("monitor.reading", "Reading what happened so far …"), QUIET))
            return
        self._tell_top(self._glance())
        self.set_class(any(sample.of_class for sample in self.history.samples), "-pairs")
        for pane in self.query(Pane):
            await pane.tell(self.history)
        possible = (self.begins_anew, self._is_useful, *(self.check_action(action, ()) is True for action in CHANGING))
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def _tell_top(self, told: Glance) -> None:
        """The state and the sentence under it, which speaks of that state."""
        self.query_one(StateLines).tell(told)
        here = self.trains_here
        said = notice(self.run, self.history, self._trouble, here, self._environment, self._demo, self._waits)
        self.query_one(Notice).tell(said)

    # --- layout -------------------------------------------------------------------------------------------------

    @property
    def shows_all(self) -> bool:
        return self.maximised is None and self._has_room

    @property
    def _has_room(self) -> bool:
        return self.size.width >= ROOM_FOR_ALL[0] and self.size.height >= ROOM_FOR_ALL[1]

    def _arrange(self) -> None:
        """Every pane where there is room, else one of them and a line of tabs."""
        everything, only = self.shows_all, self.maximised or self.active
        for name in PANES:
            self.query_one(f"#pane-{name}").display = everything or name == only
        self.query_one("#left").display = everything or only in ("loss", "rate")
        self.query_one("#upper").display = everything or only in ("loss", "rate", "samples")
        self.query_one("#lower").display = everything or only in ("log", "machine")
        self.set_class(everything, "-all")
        self.set_class(only == "log" and not everything, "-log")
        tabs = self.query_one(TabLine)
        tabs.display = not everything
        tabs.choose(only)

    async def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        await self.action_maximise(event.name)

    async def action_maximise(self, name: str) -> None:
        """Only this pane; once more: all of them, where there is room."""
        again = self.maximised == name
        self.maximised = None if again else name
        self.active, self._has_chosen = name, True
        self._arrange()
        self.call_after_refresh(self.draw)

    async def key_escape(self) -> None:
        """Back by one: to all panes where there is room for them, else to the list of runs."""
        if self.maximised is not None and self._has_room:
            await self.action_maximise(self.maximised)
        else:
            self.dbtui.action_home()
