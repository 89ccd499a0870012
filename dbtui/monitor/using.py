"""What to do with an export: fetch it from a remote machine, put it where other programs look, what to type there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from core.texts import UserError, say
from dbtui.actions import bindings
from dbtui.copying import copy
from dbtui.demo import draw_with, draws_in_dbtui_alone, why_alone
from dbtui.monitor.words import QUIET
from dbtui.safe import safe, safe_message

if TYPE_CHECKING:
    from core.config.options import RunConfig
    from core.runs.folder import Run


class UsingScreen(ModalScreen[None]):
    """The exports of a run (`files`, the newest first), one at a time."""

    BINDINGS = [*bindings("using")]

    def __init__(
        self,
        run: Run,
        files: Sequence[Path],
        config: RunConfig | UserError,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__()
        self.run, self.files, self.config = run, files, config
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
            return draw_with(self.run.name, self.run.home, self.config)
        return "" if self.path is None else scp_line(self.path, self._environment) or str(self.path)

    def _show(self) -> None:
        many = len(self.files) > 1
        place = say("samples.place", "{number} of {count}", number=self.place + 1, count=len(self.files))
        title = say("using.title", "How to use {name}", name=safe(self.path.name if self.path else self.run.name))
        self.query_one("#dialog-title", Static).update(
            Content.assemble((title, "bold"), (f"   {place}" if many else "", QUIET)))  # fmt: skip
        told = Content(say("using.nothing", "Nothing of this run is exported yet: e exports it."))
        if self.path is not None and isinstance(self.config, UserError):
            told = Content.styled(safe_message(self.config.message), "$error")
        elif self.path is not None:
            told = told_of(self.run, self.path, cast("RunConfig", self.config), self._environment)
        self.query_one("#using", Static).update(told)
        keys = [say("using.keys.copy", "y copies the first line")] if self.path else []
        keys += [say("using.keys.turn", "← → other exports")] if many else []
        self.query_one("#dialog-keys", Static).update(" · ".join([*keys, say("help.keys", "Esc closes")]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "turn" or len(self.files) > 1

    def action_turn(self, by: int) -> None:
        self.place = min(len(self.files) - 1, max(0, self.place + by))
        self._show()

    def action_copy(self) -> None:
        if self.copied:
            copy(self, self.copied)

    def action_close(self) -> None:
        self.dismiss(None)


def found_of(run: Run) -> tuple[Sequence[Path], RunConfig | UserError]:
    """What is exported, and what the run was made of, or why that cannot be read."""
    from core.export.using import exported_files

    files = exported_files(run.exports)
    try:
        return files, run.config()
    except UserError as error:
        return files, error


def told_of(run: Run, path: Path, config: RunConfig, environment: Mapping[str, str]) -> Content:
    """The line that fetches the file, or its path; then where each program wants it and what to type. What no other
    program loads is drawn with by a command.
    """
    from core.export.using import scp_line, uses

    if draws_in_dbtui_alone(config):
        how = say(
            "using.demo.how", "Type this in a terminal: it draws what was learned. Other words draw other pictures."
        )
        return Content("\n").join([Content.styled(safe(draw_with(run.name, run.home, config)), "bold $accent"),
                                   Content.styled(how, QUIET), Content(""), Content(why_alone())])  # fmt: skip

    line = scp_line(path, environment)
    parts = [Content.styled(safe(line or str(path)), "bold $accent")]
    if line:
        parts.append(Content.styled(say("using.scp", "Type this on your own computer to fetch it."), QUIET))
    for use in uses(path, config):
        parts.append(Content.assemble("\n", (use.program, "bold"), "  ", safe(use.place.text)))
        parts.append(Content(f"  {safe(use.then.text)}"))
    return Content("\n").join(parts)
