"""The sentence under the state: what a person should know now, the most pressing first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from core import events
from core.runs.history import History
from core.texts import duration_in_words
from dbtui.commandline import command_line
from dbtui.demo import Demo, draw_more
from dbtui.home.rows import longer
from dbtui.monitor.words import ENDED, QUIET
from dbtui.safe import safe

if TYPE_CHECKING:
    from core.runs.folder import Run


def notice(
    run: Run, history: History, trouble: Content, trains_here: bool, environment: Mapping[str, str],
    demo: Demo | None = None,
) -> Content:  # fmt: skip
    """Empty when there is nothing to say. `trouble` is what kept the journal from being read; a `demo` explains itself
    as long as nothing more pressing is to be said.
    """
    if trouble.plain:
        return trouble
    if history.silence is not None and history.owner is not None:
        return _silent(history)
    state = history.state
    if state == "new":
        return Content.styled("Nothing was trained yet. r begins.", QUIET)
    if state in ENDED:
        return _ended(run, history, state, demo)
    if demo is not None:
        return Content(demo.says(state, history.step))
    if trains_here and "SSH_CONNECTION" in environment and not environment.keys() & {"TMUX", "STY"}:
        back = command_line(f"attach {run.name}", run.home)
        return Content.styled(f"If this connection drops, training goes on. Come back with: {back}", QUIET)
    return Content("")


def _silent(history: History) -> Content:
    assert history.owner is not None and history.silence is not None
    who = f"process {history.owner.pid} on {safe(history.owner.host)}"
    return Content.styled(
        f"No heartbeat for {duration_in_words(history.silence)}: {who} holds the run and does not move. "
        "It may be stopped (kill -CONT wakes it) or wait for a disk; if it is stuck, end it and resume.",
        "$warning",
    )


def _ended(run: Run, history: History, state: str, demo: Demo | None) -> Content:
    ending = history.ending
    resume = f"r trains on from the last saved state ({command_line(f'train {run.name} --resume', run.home)})."
    if isinstance(ending, events.Failed):
        told = Content.styled(f"{safe(ending.message)} ", "$error") + Content(safe(ending.advice))
        return told + "\n" + Content.styled(f"{safe(ending.code)}. {resume} Details: train.log.", QUIET)
    if state == "lost":
        return Content.styled(
            "The process that trained this run ended without a word: killed, out of memory, or the machine went down. ",
            "$error",
        ) + Content(resume)
    if isinstance(ending, events.Stopped):
        lost = "" if ending.saved or not ending.step else "What was trained after the last saved state was not kept. "
        export = " e exports the model as it is saved." if history.checkpoints else ""
        return Content.styled(f"{lost}{resume}{export}", QUIET)
    if demo is not None:
        more = f"Draw more of it: {draw_more(run.name, run.home)}\nh: your runs, and n there for a subject of your own."
        return Content(demo.says("done", history.step)) + "\n" + Content.styled(more, QUIET)
    exported = ", ".join(safe(export.path) for export in history.exports[-2:])
    done = f"Exported: {exported}. e exports it in another form." if exported else "e exports the model."
    return Content.styled(f"{done}\n{longer(run.name, run.home)}", QUIET)
