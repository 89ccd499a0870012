"""The app: its screens, its keys, and the one run that may train in this process.

What is imported here is imported before the first frame: no pydantic, numpy, Pillow or torch.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets._toast import ToastRack

from core.texts import UserError, say
from dbtui import __version__
from dbtui.actions import bindings, relabel
from dbtui.home.screen import HomeScreen
from dbtui.looks import THEMES, theme_of
from dbtui.mended_textual import mend_textual
from dbtui.preferences import Preferences
from dbtui.safe import safe
from dbtui.widths import break_lines_between_characters

if TYPE_CHECKING:
    from core.events import Event
    from core.runs.folder import Run
    from core.runs.launch import TrainingHandle

SELDOM, COLLECT_SECONDS = (700, 10, 1000), 30.0
"""A full pass of the collector of garbage holds every key and the trainer up for 0.1 s: not each second, as what is
drawn would have it, but now and then.
"""
LEAVING = "leaving"
EXPORT = "export"
"""The group of the workers that write a model."""


class DbtuiApp(Preferences):
    """`attach` names a run whose monitor opens at once; with `begin` it is trained here from then on. `looks` is one of
    `THEMES`.
    """

    TITLE = "dbtui"
    CSS_PATH = ["app.tcss", "home/home.tcss"]  # the first screen's own would not be read
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("everywhere")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    def __init__(
        self, home: Path, *, attach: str | None = None, begin: bool = False, looks: object = None, **options: Any
    ) -> None:
        relabel()
        break_lines_between_characters()
        mend_textual()
        super().__init__(**options)
        self.home = home
        self.attach = attach
        self.begin = begin
        self.training: TrainingHandle | None = None
        self.training_run: Run | None = None
        self.beginning: set[str] = set()
        """Runs that were told to train and do not do so yet: a process of their own takes some seconds to come up."""
        self._announced: set[tuple[str, float]] = set()
        self._thresholds = gc.get_threshold()
        self.last_words = ""
        """Said in the terminal once the app has left it."""
        self.lead_output: Callable[[Path], None] = lambda log: None
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = theme_of(looks, no_color=self.no_color)

    def get_default_screen(self) -> HomeScreen:
        return HomeScreen(self.home)

    def on_mount(self) -> None:
        self.call_after_refresh(self._after_first_frame)

    def _collect(self) -> None:
        gc.collect()

    def on_unmount(self) -> None:
        gc.set_threshold(*self._thresholds)

    def _after_first_frame(self) -> None:
        gc.freeze()
        gc.set_threshold(*SELDOM)
        self.set_interval(COLLECT_SECONDS, self._collect)
        threading.Thread(target=_import_ahead, daemon=True, name="import").start()
        if self.attach is not None and self.begin:
            self._begin(self.attach)
        elif self.attach is not None:
            self.open_run(self.attach)

    # --- runs ---------------------------------------------------------------------------------------------------

    @property
    def is_training(self) -> bool:
        """Whether a run trains in this process."""
        return self.training is not None and self.training.running

    def when_deserted(self) -> None:
        """The terminal went after d, before the process that was to train on was there."""
        if self.training is not None:
            from dbtui.monitor.leaving import when_deserted

            when_deserted(self.training)

    @property
    def is_exporting(self) -> bool:
        """Whether a model is being written; that ends with the program."""
        return any(worker.group == EXPORT and not worker.is_finished for worker in self.workers)

    def open_run(self, name: str) -> None:
        """Show the monitor of the run called `name`, and have home stand on it; say so if there is none."""
        from core.runs.folder import Run
        from dbtui.monitor.screen import MonitorScreen

        try:
            run = Run.open(self.home, name)
        except UserError as error:
            self.say(error)
            return
        self.follow(name)
        self.push_screen(MonitorScreen(run, self.handle_of(run)))

    def follow(self, name: str) -> None:
        """Have the list of runs stand on the one called `name`."""
        home = self.screen_stack[0]
        if isinstance(home, HomeScreen):
            home.follow(name)

    def open_gallery(self, run: Run) -> None:
        """Show the previews of `run` side by side."""
        from dbtui.gallery.screen import GalleryScreen

        self.push_screen(GalleryScreen(run))

    def _begin(self, name: str) -> None:
        from core.runs.folder import Run

        try:
            self.start_run(Run.open(self.home, name), resume=False, background=False)
        except UserError as error:
            self.say(error)

    def start_demo(self, *, prior: bool) -> None:
        """Make a run of the demo and train it: here, or in the background where another one trains here."""
        from core.demo.run import make_demo_run

        try:
            run = make_demo_run(self.home, __version__, prior=prior)
        except UserError as error:
            self.say(error)
            return
        self.start_run(run, resume=False, background=self.is_training)

    def handle_of(self, run: Run) -> TrainingHandle | None:
        """The thread that trains `run`, or trained it last, if that was in this process."""
        ours = self.training_run is not None and self.training_run.name == run.name
        return self.training if ours else None

    def start_run(
        self, run: Run, *, resume: bool, background: bool, cards: tuple[str, ...] = (),
        after: Callable[[bool], object] = lambda begun: None,
    ) -> None:  # fmt: skip
        """Train `run`, on these graphics cards where any are named, a process on each; then show its monitor unless
        somebody has gone on to another screen meanwhile. `after`, in a thread, is told whether it has begun.
        """

        async def start() -> None:
            try:
                begun = await self.launch(run, resume=resume, background=background, cards=cards)
            finally:
                self.beginning.discard(run.name)
            try:
                await asyncio.to_thread(after, begun)
            except (UserError, OSError) as error:
                self.say(error)
            if begun and isinstance(self.screen, HomeScreen):
                self.open_run(run.name)

        self.beginning.add(run.name)
        self.run_worker(start())

    async def launch(self, run: Run, *, resume: bool, background: bool, cards: tuple[str, ...] = ()) -> bool:
        """Train `run` in a thread of this process, or in a process of its own; whether it has begun. A run that goes on
        gets as many processes as it had.

        One run trains in this process at a time; whatever stands in the way is said.
        """
        from core.runs.again import Share, share_of
        from core.runs.launch import launch_background, launch_thread

        share = await asyncio.to_thread(share_of, run) if resume and not cards else Share(cards=cards)
        given = share.arguments(background=background)
        if not background and self.is_training:
            self.notify(say("app.one-trains",
                            "A run is training in this program already. Start this one in the background."),
                        severity="warning", markup=False)  # fmt: skip
            return False
        try:
            if background:
                self.notify(say("app.starting", "Starting a process that trains {name}. It takes some seconds.",
                                name=safe(run.name)), markup=False)  # fmt: skip
                await asyncio.to_thread(launch_background, run, resume=resume, **given)
            else:
                handle = launch_thread(run, resume=resume, on_event=lambda event: self._trained(run.name, event),
                                       **given)  # fmt: skip
                self.training, self.training_run = handle, run
                self.lead_output(run.log_path)
        except (UserError, OSError) as error:
            self.say(error)
            return False
        return True

    def _trained(self, name: str, event: Event) -> None:
        """Runs in the thread that trains; it never waits for the app."""
        from core.events import ENDINGS

        if isinstance(event, ENDINGS):
            with suppress(RuntimeError):  # the app has gone
                self.call_later(self.announce, name, event)

    def announce(self, name: str, event: Event) -> None:
        """Tell, once, that the run called `name` has ended: by the terminal, and on any screen but its own."""
        from core.runs.telling import is_news
        from dbtui.announcing import signal_of, told_end

        if (name, event.time) in self._announced or not is_news(event):
            return
        self._announced.add((name, event.time))
        signal = signal_of(name, event, os.environ)
        if signal and self._driver is not None:
            self._driver.write(signal)
        seen = getattr(self.screen, "run", None)
        if getattr(seen, "name", None) != name:
            self.notify(told_end(name, event), timeout=20, markup=False)

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """The screens that are seen through the one on top. Textual counts the next one below an opaque screen, too,
        and would send all of the upper one whenever the lower one changes.
        """
        return super()._background_screens if self.screen.is_modal else []

    def _refresh_notifications(self) -> None:
        """Notices stand on the screen on top alone: those of the screens behind it would be seen through it."""
        super()._refresh_notifications()
        self.call_later(self._hide_notices_behind)

    def _hide_notices_behind(self) -> None:
        for screen in self.screen_stack[:-1]:
            for rack in screen.query_children(ToastRack):
                rack.display = False

    # --- what is everywhere -------------------------------------------------------------------------------------

    def say(self, error: BaseException) -> None:
        """Show an error as a notice (see `told`)."""
        from dbtui.faults import told

        self.notify(told(error, self.home), severity="error", timeout=12, markup=False)

    def _print_error_renderables(self) -> None:
        """A mistake in the program has ended the app: said in words, and how what trains goes on; the log has the rest
        of it. Textual would print the traceback.
        """
        from dbtui.commandline import command_line
        from dbtui.faults import told

        if self._exception is None:
            super()._print_error_renderables()
            return
        self._exit_renderables.clear()
        words = told(self._exception, self.home)
        if self.is_training and self.training_run is not None:
            goes_on = command_line(f"train {self.training_run.name} --resume", self.home)
            words += "\n" + say("app.fault.training", "What trains is saved. `{command}` goes on with it.",
                                command=goes_on)  # fmt: skip
        self.error_console.file.write(f"{words}\n")

    def action_help(self) -> None:
        from dbtui.widgets.guidance import Guidance, keys_of, topic_of

        if isinstance(self.screen, Guidance):
            self.screen.dismiss(None)
        else:
            self.push_screen(Guidance(topic_of(self.screen), keys_of(self.screen)))

    def action_command_palette(self) -> None:
        from textual.command import CommandPalette

        from dbtui.widgets.palette import Palette

        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            self.push_screen(Palette())

    async def action_quit(self) -> None:
        self.action_leave()

    def action_home(self) -> None:
        """To the list of runs, from whatever stands over it."""
        while len(self.screen_stack) > 1 and not isinstance(self.screen, HomeScreen):
            self.pop_screen()

    def action_leave(self) -> None:
        """Copy what is selected; otherwise ask before leaving."""
        from dbtui.widgets.question import Answer, Question

        selected = self.screen.get_selected_text() or getattr(self.focused, "selected_text", "")
        if selected:
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
            self.notify(say("app.copied", "Copied. With nothing selected, Ctrl+C leaves."), timeout=3,
                        markup=False)  # fmt: skip
            return
        if any(screen.id == LEAVING or getattr(screen, "leaving", False) for screen in self.screen_stack):
            return
        if self.is_training:
            from dbtui.monitor.leaving import LeaveDialog

            assert self.training is not None and self.training_run is not None
            self.push_screen(LeaveDialog(self.training_run, self.training), self._left)
            return
        text = say("leave.idle", "Nothing trains in this program. Drafts are kept, and runs in the background go on.")
        if self.is_exporting:
            text = say("leave.exporting",
                       "A model is being written; leaving ends that, and nothing of the file remains.")  # fmt: skip
        answers = (Answer("leave", "l", say("leave.leave", "Leave")), Answer("stay", "s", say("leave.stay", "Stay")))
        self.push_screen(Question(say("leave.question", "Leave dbtui?"), text, answers, id=LEAVING),
                         lambda answer: self._left(0 if answer == "leave" else None))  # fmt: skip

    def _left(self, code: int | None) -> None:
        """Leave with the exit code `code`, or stay."""
        if code is not None:
            self.exit(code)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the keys of `screen` do now, from the same table, first what its footer shows; then what is possible
        everywhere.
        """
        seen = {"command_palette"}
        from dbtui.widgets.guidance import active_in, key_in_words

        for active in sorted(active_in(screen), key=lambda active: not active.binding.show):
            binding = active.binding
            does = "leave" if binding.action == "leave_run" else binding.action
            if binding.tooltip and active.enabled and does not in seen and not binding.system:
                seen.add(does)
                title = say("palette.entry", "{title}  ({key})", title=binding.description,
                            key=key_in_words(binding))  # fmt: skip
                yield SystemCommand(title, binding.tooltip, self._doing(binding.action, active.node))

    def _doing(self, action: str, node: Any) -> Callable[[], Any]:
        async def do() -> None:
            await self.run_action(action, default_namespace=node)

        return do


def _import_ahead() -> None:
    """Load what the next key will probably need while somebody reads the first frame."""
    importlib.import_module("dbtui.wizard.flow")
    importlib.import_module("dbtui.wizard.review")
    importlib.import_module("dbtui.monitor.screen")
    importlib.import_module("dbtui.gallery.screen")


def run_app(home: Path, *, attach: str | None = None, begin: bool = False) -> int:
    """Open the app and stay until it is left; the exit code. Training that goes on is waited for.

    Makes the folder `home`; raises `UserError` where that cannot be.
    """
    from core.settings import remembered
    from dbtui.looks import SETTING
    from dbtui.terminal.output import lead_output_to
    from dbtui.terminal.session import Session

    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        from core.files import explain

        raise explain(error, home) from error
    app = DbtuiApp(home, attach=attach, begin=begin, looks=remembered(SETTING))
    app.lead_output = lead_output_to
    code = Session(app, lambda: app.training, app.when_deserted).run(home / "app.log")
    if app.last_words:
        print(app.last_words, flush=True)
    return code
