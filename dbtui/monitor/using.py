"""What to do with an export: fetch it from a remote machine, put it where other programs look, what to type there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.choices.adapters import WHOLE
from core.texts import UserError, say
from dbtui.actions import bindings
from dbtui.copying import copy
from dbtui.demo import draw_with, draws_in_dbtui_alone, draws_with_newest, why_alone
from dbtui.monitor.words import QUIET
from dbtui.safe import safe, safe_message, shown_path
from dbtui.using import beside_in_words

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.runs.folder import Run
    from dbtui.working import Working


@dataclass(frozen=True)
class Found:
    """`files` are the exports, the newest first, `steps` how far each was trained, where that is known; `config` is
    what the run was made of, or why that cannot be read. Where nothing is exported: whether it trains now, and whether
    a state of it is saved.
    """

    files: Sequence[Path]
    config: RunConfig | UserError
    trains: bool = False
    is_saved: bool = False
    steps: Sequence[int | None] = ()


class UsingScreen(ModalScreen[bool]):
    """The exports of a run, one at a time. Dismissed with whether one is to be made."""

    BINDINGS = [*bindings("using")]

    def __init__(self, run: Run, found: Found, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self.run, self.found, self.files, self.config = run, found, found.files, found.config
        self.place = 0
        self._environment = environment

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say("using.help", "What to do with the model that was exported: where each program wants the file, and "
                   "what to type there so that it draws your subject.")  # fmt: skip

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog", classes="help"):
            yield Static("", id="dialog-title", markup=False)
            with VerticalScroll(id="dialog-text", can_focus=False):
                yield Static("", id="using", markup=False)
            yield Static("", id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self.app.clear_notifications()  # the one that sent somebody here would lie over what it sent them to
        self._show()

    @property
    def path(self) -> Path | None:
        return self.files[self.place] if self.files else None

    @property
    def copied(self) -> str:
        """What y copies: the line that fetches the file, here its path, or what draws with the demo's model."""
        from core.export.using import scp_line

        if self.path is not None and not isinstance(self.config, UserError) and draws_in_dbtui_alone(self.config):
            return draw_with(self.run, self.path, self.config)
        return "" if self.path is None else scp_line(self.path, self._environment) or str(self.path)

    def _show(self) -> None:
        many = len(self.files) > 1
        place = say("samples.place", "{number} of {count}", number=self.place + 1, count=len(self.files))
        title = say("using.title", "How to use {name}", name=safe(self.path.name if self.path else self.run.name))
        step = next(iter(self.found.steps[self.place : self.place + 1]), None)
        facts = [say("samples.step", "step {step:,}", step=step)] if step is not None else []
        facts += [place] if many else []
        self.query_one("#dialog-title", Static).update(
            Content.assemble((title, "bold"), ("".join(f"   {fact}" for fact in facts), QUIET)))  # fmt: skip
        told = Content(_nothing(self.found))
        if self.path is not None and isinstance(self.config, UserError):
            told = Content.styled(safe_message(self.config.message), "$error")
        elif self.path is not None:
            told = told_of(self.run, self.path, cast("RunConfig", self.config), self._environment)
        self.query_one("#using", Static).update(told)
        keys = [say("using.keys.copy", "y copies the first line")] if self.path else []
        keys += [say("using.keys.turn", "← → other exports")] if many else []
        keys += [say("using.keys.export", "e exports it now")] if self.can_export else []
        self.query_one("#dialog-keys", Static).update(" · ".join([*keys, say("help.keys", "Esc closes")]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "export":
            return self.can_export
        return action != "turn" or len(self.files) > 1

    @property
    def can_export(self) -> bool:
        """Whether there is nothing to use yet, and something to make it of."""
        return not self.files and self.found.is_saved and not self.found.trains

    def action_export(self) -> None:
        self.dismiss(True)

    def action_turn(self, by: int) -> None:
        self.place = min(len(self.files) - 1, max(0, self.place + by))
        self._show()

    def action_copy(self) -> None:
        if self.copied:
            copy(self, self.copied)

    def action_close(self) -> None:
        self.dismiss(False)


def open_using(screen: Working, run: Run, environment: Mapping[str, str] = os.environ) -> None:
    """Over `screen`; where nothing is exported yet, `screen` asks as what, if a person wants that."""
    from dbtui.monitor.after import ask_export

    def closed(wants_export: bool | None) -> None:
        if wants_export:
            ask_export(screen, run)

    screen.ask(
        lambda: found_of(run), lambda found: screen.app.push_screen(UsingScreen(run, found, environment), closed)
    )


def found_of(run: Run) -> Found:
    """In a thread. Raises `UserError` where the run's lock cannot be read."""
    from core.export.there import step_of
    from core.export.using import exported_files
    from core.runs.folder import saved_steps
    from core.runs.lock import owner

    config: RunConfig | UserError
    try:
        config = run.config()
    except UserError as error:
        config = error
    files = exported_files(run.exports)
    if files:
        return Found(files, config, steps=[step_of(path) for path in files])
    return Found(files, config, trains=owner(run.lock_path) is not None, is_saved=bool(saved_steps(run.path)))


def _nothing(found: Found) -> str:
    """Why there is nothing to use, and what makes it."""
    if found.trains:
        return say("using.trains", "There is no model to use yet: the run is not over, and writes it when it is done. "
                   "To have it sooner, x in its monitor stops and saves the run; e exports it then.")  # fmt: skip
    if not found.is_saved:
        return say("using.not-saved", "There is no model to use yet: nothing of this run is saved. r in the list of "
                   "runs or in its monitor trains it; at its end the model is written.")  # fmt: skip
    return say("using.nothing", "There is no model to use yet: the run is saved, but not exported. e exports it: "
               "writes it as a file that other programs read.")  # fmt: skip


def told_of(run: Run, path: Path, config: RunConfig, environment: Mapping[str, str]) -> Content:
    """The line that fetches the file, or its path; then where each program wants it and what to type. What no other
    program loads is drawn with by a command.
    """
    from core.export.using import scp_line, uses

    beside = [Content(told)] if (told := beside_in_words(path)) else []
    if draws_in_dbtui_alone(config):
        how = _how(draws_with_newest(run, path), whole=config.method == WHOLE)
        where = say("using.demo.file", "The file: {path}", path=shown_path(path))
        return Content("\n").join([Content.styled(safe(draw_with(run, path, config)), "bold $accent"),
                                   Content.styled(how, QUIET), Content(""), Content(where), *beside, Content(""),
                                   Content(why_alone())])  # fmt: skip

    line = scp_line(path, environment)
    parts = [Content.styled(safe(line or str(path)), "bold $accent")]
    if line:
        parts.append(Content.styled(say("using.scp", "Type this on your own computer to fetch it."), QUIET))
    parts += beside
    for use in uses(path, config):
        parts.append(Content.assemble("\n", (use.program, "bold"), "  ", safe(use.place.text)))
        parts.append(Content(f"  {safe(use.then.text)}"))
    return Content("\n").join(parts)


def _how(is_newest: bool, *, whole: bool) -> str:
    """What the command that is told draws with."""
    if is_newest:
        return say("using.demo.how", "Type this in a terminal: it draws with what the run learned last. Other words "
                   "draw other pictures.")  # fmt: skip
    if whole:
        return say("using.demo.how-file", "Type this in a terminal: it draws with this file. Other words draw other "
                   "pictures.")  # fmt: skip
    return say("using.demo.how-last", "Type this in a terminal: it draws with what the run learned last, not with this "
               "file.")  # fmt: skip
