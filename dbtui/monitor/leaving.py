"""Ending: stopping a run, and leaving the program while it trains in this process."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.texts import UserError, duration_in_words, say
from dbtui.actions import binding
from dbtui.boundary import STOPPED
from dbtui.commandline import command_line
from dbtui.safe import safe, safe_message
from dbtui.widgets.question import Answer, Question

if TYPE_CHECKING:
    from core.runs.folder import Run
    from core.runs.launch import TrainingHandle
    from core.runs.pump import Ending
    from dbtui.app import DbtuiApp

PATIENCE_SECONDS = 20.0
"""After this long a person may end the program without waiting for the training."""


def stop_question(run: Run, step: int, *, paused: bool = False) -> Question:
    """Before a run is ended: dismissed with `save`, `discard`, or `None`. What is said of a run that is not paused
    holds however far it trains on behind the question.
    """
    title = say("stop.question.training", "Stop {name}?", name=safe(run.name))
    stay = say("stop.go-on", "Go on training")
    if paused:
        title = say("stop.question", "Stop {name} at step {step:,}?", name=safe(run.name), step=step)
        stay = say("stop.stay-paused", "Leave it paused")
    return Question(
        title,
        say("stop.text", "Nothing is lost if it is saved: it can be resumed, and ends with the same weights as if it "
            "had never stopped."),
        (*_endings(run, step if paused else None), Answer("go-on", "g", stay)),
    )  # fmt: skip


def leave_question(run: Run, *, paused: bool = False, step: int | None = None) -> Question:
    """Before the program is left while it trains: dismissed with `background`, `save`, `discard`, `stay` or `None`.
    `step` is the one it has come to, where that is known.
    """
    title = say("leave.training", "{name} is training in this program.", name=safe(run.name))
    background = Answer("background", "b", say("leave.background", "Go on in the background"),
                        say("leave.background.help", "saves, and trains on without this terminal"))  # fmt: skip
    stay = say("leave.stay-training", "Stay and go on training")
    if paused:
        title = say("leave.paused", "{name} is paused in this program.", name=safe(run.name))
        background = Answer("background", "b", say("leave.background-paused", "Paused in the background"),
                            say("leave.background-paused.help", "saves, and waits without this terminal"))  # fmt: skip
        stay = say("leave.stay-paused", "Stay and leave it paused")
    return Question(title, say("leave.training.text", "What should become of it when the program ends?"),
                    (background, *_endings(run, step if paused else None), Answer("stay", "g", stay)))  # fmt: skip


def _endings(run: Run, step: int | None = None) -> tuple[Answer, Answer]:
    """`step` is the one at which it stays, where it stays at any."""
    from core.runs.folder import saved_steps

    saved = saved_steps(run.path)
    lost = say("stop.discard.all", "nothing was saved yet: all is lost")
    if step == 0:
        lost = say("stop.discard.nothing", "no step was trained yet: nothing is lost")
    elif saved and saved[-1] == step:
        lost = say("stop.discard.saved", "this step is saved already: nothing is lost")
    elif saved:
        lost = say("stop.discard.help", "the state of step {step:,} stays, what came after is lost", step=saved[-1])
    return (
        Answer("save", "s", say("stop.save", "Save and stop"), say("stop.save.help", "can be resumed from here")),
        Answer("discard", "w", say("stop.discard", "Stop without saving"), lost),
    )


class EndingScreen(ModalScreen[bool]):
    """Asks the training thread of this process to end and waits for it; True once it has ended.

    Escape gives up waiting, the request stays: False. With `reason="background"` the run is started again in a process
    of its own; giving up half way would leave it to nobody, so that cannot be left (False: it could not be started).
    """

    leaving = True
    BINDINGS = [binding("ending.back", "escape", "dismiss(False)", "Back"),
                binding("ending.now", "k", "end_now", "End now")]  # fmt: skip

    def __init__(self, run: Run, handle: TrainingHandle, *, discard: bool = False, reason: str = "user") -> None:
        super().__init__()
        self.run, self.handle, self.discard, self.reason = run, handle, discard, reason
        self._since = time.monotonic()
        self._ended: bool | None = None
        self._hands_over = False
        self._was_paused = handle.paused
        self.process = 0
        """Which process trains on, once it does."""

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Static("", id="ending", markup=False)
            if self.reason != "background":
                keys = say("ending.keys", "Esc goes back to the monitor; the run ends all the same.")
                yield Static(keys, id="dialog-keys", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "dismiss":
            return self.reason != "background"
        return action != "end_now" or self._is_slow

    @property
    def _is_slow(self) -> bool:
        return time.monotonic() - self._since > PATIENCE_SECONDS

    def action_end_now(self) -> None:
        """What a second SIGTERM does: the program ends this moment, the last saved state stays."""
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)

    def on_mount(self) -> None:
        if self.handle.running:
            self.handle.request("stop", reason=self.reason, discard=self.discard)
        self._timer = self.set_interval(0.5, self._look)
        self._look()

    def _look(self) -> None:
        if self.handle.running:
            waited = duration_in_words(time.monotonic() - self._since)
            if self.discard:
                what = say("ending.discard", "Ending the step that runs. {waited}", waited=waited)
            else:
                what = say("ending.save", "Ending the step that runs, then saving. {waited}", waited=waited)
            slow = say("ending.slow", "If it hangs, k ends the program at once; the last saved state stays.")
            self._tell(f"{what}\n{slow}" if self._is_slow else what)
        elif self.reason != "background" or not self._was_stopped:
            self._ended = True
        elif not self._hands_over:
            self._hands_over = True
            self._tell(say("ending.hands-over", "Saved. Starting the process that goes on; this takes some seconds."))
            self.run_worker(self._hand_over())
        if self._ended is not None and self.app.screen is self:  # `dismiss` closes whatever lies on top
            self._timer.stop()
            self.dismiss(self._ended)

    @property
    def _was_stopped(self) -> bool:
        """False for a run that came to its end, or failed, before the request reached it."""
        ending = self.handle.ending
        return ending is not None and ending.kind == "stopped"

    async def _hand_over(self) -> None:
        """Start the run again where this terminal does not matter."""
        from core.machine import chosen_cards
        from core.runs.launch import launch_background

        given: dict[str, Any] = {"cards": cards} if (cards := chosen_cards()) else {}
        try:
            self.process = await asyncio.to_thread(launch_background, self.run, resume=True, **given)
        except (UserError, OSError) as error:
            told = safe_message(error.message) if isinstance(error, UserError) else safe(error)
            saved = say("ending.saved", "The run is saved: r trains on here.")
            self.notify(f"{told}\n{saved}", severity="error", timeout=30, markup=False)
            self._ended = False
        else:
            if self._was_paused:
                await self._pause()
            self.notify(self.last_words, markup=False)
            self._ended = True
        self._look()

    async def _pause(self) -> None:
        """What was paused here waits in the other process, too: it is asked to before its first step."""
        from core.runs.commands import send

        try:
            await asyncio.to_thread(send, self.run, "pause")
        except UserError as error:
            self._was_paused = False
            self.notify(safe_message(error.message), severity="error", timeout=30, markup=False)

    @property
    def last_words(self) -> str:
        return last_words(self.run, self.handle.ending, self.process, paused=self._was_paused)

    def _tell(self, words: str) -> None:
        self.query_one("#ending", Static).update(Content(words))


def when_deserted(training: TrainingHandle) -> None:
    """Start what was to go on in the background, where the program that was to do so has lost its terminal first."""
    from core.runs.launch import hand_over

    try:
        hand_over(training)
    except UserError as error:
        print(error, file=sys.stderr)  # the log: nobody is there any more


def last_words(run: Run, ending: Ending | None, process: int, *, paused: bool = False) -> str:
    """What became of the run, for the terminal that is left; `process` is 0 where none trains on."""
    from core.runs.folder import saved_steps

    name, attach = safe(run.name), command_line(f"attach {run.name}", run.home)
    if process:
        from core.runs.logout import ended_at_logout

        told = say("last.background", "{name} trains on in process {process}. Watch it with: {command}", name=name,
                   process=process, command=attach)  # fmt: skip
        if paused:
            told = words_of_paused(run, process)
        danger = ended_at_logout()
        return f"{told}\n{safe_message(danger)}" if danger is not None else told
    if ending is None or ending.kind != "stopped":
        return say("last.ended", "{name} came to its end meanwhile. To see it: {command}", name=name, command=attach)
    resume = command_line(f"train {run.name} --resume", run.home)
    if not saved_steps(run.path):
        return say("last.stopped-unsaved", "{name} is stopped, and no state of it was saved: it trains again from "
                   "step 0. {command}", name=name, command=resume)  # fmt: skip
    return say("last.stopped", "{name} is stopped. Train on with: {command}", name=name, command=resume)


def words_of_paused(run: Run, process: int) -> str:
    """Where a run waits that is paused in another process, and how to come back to it."""
    return say("last.paused", "{name} is paused in process {process}, holding its memory. Go on with p in: {command}",
               name=safe(run.name), process=process, command=command_line(f"attach {run.name}", run.home))  # fmt: skip


class LeaveDialog(ModalScreen[int | None]):
    """The whole way out while a run trains here: asks, ends or hands over, waits.

    Dismissed with the exit code to leave with, or `None` to stay.
    """

    leaving = True

    def __init__(self, run: Run, handle: TrainingHandle) -> None:
        super().__init__()
        self.run, self.handle = run, handle
        self._decided: list[int | None] = []

    def on_mount(self) -> None:
        self.app.push_screen(leave_question(self.run, paused=self.handle.paused, step=self.handle.step), self._answered)

    def on_screen_resume(self) -> None:
        self._close()

    def _decide(self, code: int | None) -> None:
        self._decided = [code]
        self._close()

    def _close(self) -> None:
        """With what was decided; where another dialog has come over it meanwhile, once that has gone."""
        if self._decided and self.app.screen is self:
            self.dismiss(self._decided.pop())

    def _answered(self, answer: str | None) -> None:
        if answer not in ("background", "save", "discard"):
            self._decide(None)
            return
        reason = "background" if answer == "background" else "user"
        ending = EndingScreen(self.run, self.handle, discard=answer == "discard", reason=reason)
        code = 0 if answer == "background" else STOPPED

        def ended(it_did: bool | None) -> None:
            if it_did:
                cast("DbtuiApp", self.app).last_words = ending.last_words
            self._decide(code if it_did else None)

        self.app.push_screen(ending, ended)
