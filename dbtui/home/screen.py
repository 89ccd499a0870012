"""Home: every run and draft, and a welcome where there is none."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from core.texts import UserError, counted, say
from dbtui.actions import bindings
from dbtui.home.rows import RESUMABLE, Entry, describe, heads, line
from dbtui.safe import safe, safe_message
from dbtui.widgets.title import TitleBar

if TYPE_CHECKING:
    from core.runs.folder import Run
    from dbtui.app import DbtuiApp

REFRESH_SECONDS = 2.0


def welcome() -> Content:
    """What stands where there is no run yet. Keys stand in brackets in the text, and are shown in a colour."""
    said = say(
        "home.welcome",
        "{dbtui} Nothing is trained here yet.\n\n"
        "dbtui teaches Stable Diffusion a new subject from a few of your pictures:\n"
        "your clock, your dog, a face, a style of painting. You choose a rare word\n"
        "for it; afterwards that word in a prompt draws your subject.\n\n"
        "Press [t] to try it with the demo: a small model that comes with the program\n"
        "learns a new dog before your eyes. About a minute; no graphics card, no\n"
        "download, nothing to prepare.\n\n"
        "Press [n] to begin with a subject of your own. Four short screens ask for\n"
        "  ·  a folder with three to twenty pictures of it\n"
        "  ·  a Stable Diffusion 1 model: a .safetensors or .ckpt file, a diffusers\n"
        "     folder, or the name of one on the hub\n"
        "Training takes minutes on a graphics card, much longer without one. Nothing\n"
        "is trained before you have seen the plan.\n\n"
        "Anywhere: [F1] helps, [Ctrl+P] shows all that is possible, [Ctrl+C] leaves.",
        dbtui=f"[{say('home.welcome.title', 'Welcome.')}]",
    )
    title, *rest = re.split(r"\[(.*?)\]", said)[1:]
    parts = [(part, "bold $accent" if number % 2 else "") for number, part in enumerate(rest)]
    return Content.assemble((title, "bold"), *parts)


def demo_words() -> str:
    return say(
        "home.demo",
        "A small Stable Diffusion that comes with the program learns a new dog from six pictures, as a real one would "
        "learn yours. It takes about a minute on two processor cores. You see the new dog form, and beside it what the "
        "model makes of any other dog.",
    )


class RunList(OptionList, inherit_bindings=False):
    """The list; Enter belongs to the screen, so that the footer shows it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor_down", show=False),
        Binding("up,k", "cursor_up", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]


class HomeScreen(Screen[None]):
    """Reads the runs in a thread every two seconds while it is seen."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("home")]
    AUTO_FOCUS = "RunList"

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.home = home
        self.entries: list[Entry] = [Entry(name) for name in _names(home / "runs")]
        self._has_drafts = bool(_names(home / "drafts"))
        self._is_ready = False
        self._was_read = False
        """Whether the list shows what was read, and no longer the bare names of the first frame."""
        self._trouble = ""

    @property
    def HELP(self) -> str:  # type: ignore[override]  # a constant in textual
        return say(
            "home.help",
            "Your runs and drafts, the last changed first.\n\n"
            "► trains now   ‖ paused   ■ stopped   ✓ done   ✗ failed   ? cut off   ~\u00a0draft",
        )

    @property
    def dbtui(self) -> DbtuiApp:
        return cast("DbtuiApp", self.app)

    def compose(self) -> ComposeResult:
        yield TitleBar(say("home.title", "Runs"), safe(self.home))
        yield Static(welcome(), id="welcome")
        with Vertical(id="list"):
            yield Static("", id="heads", markup=False)
            yield RunList(markup=False)
            yield Static("", id="detail", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._is_ready = True
        self._show(self.entries)
        self._timer = self.set_interval(REFRESH_SECONDS, self.look)
        self.call_after_refresh(self.look)

    async def in_other_words(self) -> None:
        """The language has changed."""
        self._is_ready = False
        selected = self.query_one(RunList).highlighted
        await self.recompose()
        self._is_ready = True
        self._show(self.entries)
        self.query_one(RunList).highlighted = selected
        self.query_one(RunList).focus()

    def on_screen_resume(self) -> None:
        if hasattr(self, "_timer"):
            self._timer.resume()
            self.look()

    def on_screen_suspend(self) -> None:
        if hasattr(self, "_timer"):
            self._timer.pause()

    def on_resize(self) -> None:
        self._show(self.entries)

    # --- reading ------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read runs and drafts in a thread."""
        self.run_worker(self._read, thread=True, exclusive=True, group="look", exit_on_error=False)

    def _read(self) -> None:
        from core.runs.folder import list_runs
        from core.runs.history import summary
        from dbtui.drafts import list_drafts

        entries = [Entry(draft.title, draft=draft) for draft in list_drafts(self.home)]
        trouble = ""
        try:
            for run in list_runs(self.home):
                try:
                    entries.append(Entry(run.name, summary=summary(run)))
                except UserError as error:
                    entries.append(Entry(run.name, trouble=safe_message(error.message)))
        except UserError as error:
            trouble = safe_message(error.message)
        self._trouble = trouble
        entries.sort(key=_changed, reverse=True)
        self.app.call_later(self._was_looked, entries)

    def _was_looked(self, entries: list[Entry]) -> None:
        """Show what was read. The first time the cursor goes to the first row; later it keeps to its run."""
        self._show(entries, keep=self._was_read)
        self._was_read = True

    def _show(self, entries: list[Entry], *, keep: bool = True) -> None:
        if not self._is_ready:
            return
        runs = self.query_one(RunList)
        before = self.selected if keep else None
        self.entries = entries
        empty = not entries and not self._has_drafts and not self._trouble
        self._has_drafts = False
        self.query_one("#welcome").display = empty
        self.query_one("#list").display = not empty
        width = self.size.width - 2
        self.query_one("#heads", Static).update(heads(width))
        options = [Option(line(entry, width), id=entry.id) for entry in entries]
        if [option.id for option in options] == [option.id for option in runs.options]:
            for option in options:
                runs.replace_option_prompt(cast(str, option.id), option.prompt)
            if not keep and entries:
                runs.highlighted = 0
        else:
            runs.clear_options()
            runs.add_options(options)
            kept = next((number for number, entry in enumerate(entries) if before and entry.id == before.id), 0)
            runs.highlighted = kept if entries else None
        self._selection_changed()

    @property
    def selected(self) -> Entry | None:
        """The highlighted run or draft."""
        number = self.query_one(RunList).highlighted
        return self.entries[number] if number is not None and number < len(self.entries) else None

    def on_option_list_option_highlighted(self) -> None:
        self._selection_changed()

    def _selection_changed(self) -> None:
        entry = self.selected
        self.query_one("#detail", Static).update(self._trouble or (describe(entry) if entry else ""))
        self.refresh_bindings()

    # --- doing --------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what is possible with the selected entry stands in the footer and the palette."""
        if action not in ("open", "resume", "export", "delete", "gallery"):
            return True
        entry = self.selected if self._is_ready else None
        if entry is None or entry.state == "unknown":
            return False
        possible = {
            "open": True,
            "delete": not entry.is_alive,
            "resume": entry.state in RESUMABLE,
            "gallery": entry.draft is None and entry.summary is not None,
            "export": entry.draft is None and bool(entry.summary and entry.summary.step),
        }
        return possible[action]

    def on_option_list_option_selected(self) -> None:
        self.action_open()

    def action_new(self) -> None:
        from dbtui.wizard.flow import start

        start(self.app, self.home, None)

    def action_demo(self) -> None:
        from dbtui.widgets.question import Answer, Question

        answers = (
            Answer("with", "d", say("demo.with", "The demo"),
                   say("demo.with.help", "with class pictures: a plain dog stays one")),
            Answer("without", "w", say("demo.without", "Without class pictures"),
                   say("demo.without.help", "to see what they are for")),
        )  # fmt: skip
        where = say("demo.where", "A run is training in this program: the demo trains in the background then.")
        text = demo_words() + (f"\n\n{where}" if self.dbtui.is_training else "")
        question = Question(say("demo.question", "Try it with the demo?"), text, answers)
        self.app.push_screen(question, lambda answer: self.dbtui.start_demo(prior=answer == "with") if answer else None)

    def action_open(self) -> None:
        entry = self.selected
        if entry is None:
            return
        if entry.draft is not None:
            from dbtui.wizard.flow import start

            start(self.app, self.home, entry.draft)
        else:
            self.dbtui.open_run(entry.name)

    def action_resume(self) -> None:
        from dbtui.monitor.after import resume_question

        run = self._run()
        if run is not None:
            self.app.push_screen(resume_question(self.dbtui, run), lambda answer: self._resume(run, answer))

    def _resume(self, run: Run, answer: str | None) -> None:
        if answer is not None:
            self.dbtui.start_run(run, resume=True, background=answer == "background")

    def action_export(self) -> None:
        from dbtui.monitor.after import ask_export

        run = self._run()
        if run is not None:
            ask_export(self.dbtui, run)

    def action_gallery(self) -> None:
        run = self._run()
        if run is not None:
            self.dbtui.open_gallery(run)

    def _run(self) -> Run | None:
        """The highlighted run, if it is still there."""
        from core.runs.folder import Run

        entry = self.selected
        if entry is None or entry.draft is not None:
            return None
        try:
            return Run.open(self.home, entry.name)
        except UserError as error:
            self.dbtui.say(error)
            return None

    def action_delete(self) -> None:
        from dbtui.widgets.question import Answer, Question

        entry = self.selected
        if entry is None:
            return
        keep = Answer("keep", "k", say("delete.keep", "Keep"))
        delete = Answer("delete", "d", say("delete.delete", "Delete for good"))
        if entry.draft is not None:
            if entry.name:
                title = say("delete.draft", "Delete the draft {name}?", name=safe(entry.name))
            else:
                title = say("delete.nameless", "Delete the draft without a name?")
            lost = say("delete.draft.lost", "What you typed is lost. Your pictures stay.")
            question = Question(title, lost, (keep, delete))
            self.app.push_screen(question, lambda answer: self._delete(entry) if answer == "delete" else None)
            return
        self._in_thread(lambda: _loss(self.home, entry.name), lambda text: self.app.push_screen(
            Question(say("delete.run", "Delete the run {name}?", name=safe(entry.name)), text, (keep, delete)),
            lambda answer: self._delete(entry) if answer == "delete" else None,
        ))  # fmt: skip

    def _delete(self, entry: Entry) -> None:
        from core.runs.folder import Run
        from dbtui.drafts import delete_draft

        if entry.draft is not None:
            draft_id = entry.draft.id
            self._in_thread(lambda: delete_draft(self.home, draft_id), lambda _: self.look())
        else:
            self._in_thread(lambda: Run.open(self.home, entry.name).delete(), lambda _: self.look())

    def _in_thread(self, work: Callable[[], Any], then: Callable[[Any], Any]) -> None:
        def job() -> None:
            try:
                result = work()
            except (UserError, OSError) as error:
                self.app.call_later(self.dbtui.say, error)
                return
            self.app.call_later(then, result)

        self.run_worker(job, thread=True, group="do", exit_on_error=False)


def _names(directory: Path) -> list[str]:
    """Folder entries that a first frame can show before anything was read."""
    try:
        return sorted(entry.name for entry in os.scandir(directory) if not entry.name.startswith("."))
    except OSError:
        return []


def _changed(entry: Entry) -> float:
    if entry.draft is not None:
        return entry.draft.changed
    return (entry.summary.updated if entry.summary else 0.0) or 0.0


def _loss(home: Path, name: str) -> str:
    """What goes with a run: its saved states, previews, class pictures and exports."""
    from core.runs.folder import Run
    from core.texts import size_in_words

    run = Run.open(home, name)
    files = [path for path in run.path.rglob("*") if path.is_file() and not path.is_symlink()]
    states = sum(1 for path in run.checkpoints.glob("step-*")) if run.checkpoints.is_dir() else 0
    exports = sum(1 for _ in run.exports.iterdir()) if run.exports.is_dir() else 0
    pictures = sum(1 for path in files if path.suffix == ".png")
    size = size_in_words(sum(path.stat().st_size for path in files))
    return say(
        "delete.run.lost",
        "Lost for good: {states}, {exports}, {pictures} that the program made, and the history: {size} in\n{folder}\n"
        "Your own pictures and the source model stay.",
        states=counted(states, "saved state"),
        exports=counted(exports, "exported model"),
        pictures=counted(pictures, "picture"),
        size=size,
        folder=safe(run.path),
    )
