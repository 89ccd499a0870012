"""The sentence under the state: what a person should know now, the most pressing first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.content import Content

from core import events
from core.runs.history import History
from core.texts import duration_in_words, joined, say
from dbtui.commandline import command_line
from dbtui.demo import Demo, draw_more
from dbtui.monitor.words import ENDED, QUIET
from dbtui.safe import safe, shown_path

if TYPE_CHECKING:
    from core.runs.folder import Run


def notice(
    run: Run, history: History, trouble: Content, trains_here: bool, environment: Mapping[str, str],
    demo: Demo | None = None, waits: bool = False,
) -> Content:  # fmt: skip
    """Empty when there is nothing to say. `trouble` is what kept the journal from being read; a `demo` explains itself
    as long as nothing more pressing is to be said. One that `waits` stands in the queue.
    """
    if trouble.plain:
        return trouble
    if history.silence is not None and history.owner is not None:
        return _silent(history)
    state = history.state
    if state == "new" and waits:
        return Content.styled(say("notice.waits", "It waits its turn in the queue. r starts it at once."), QUIET)
    if state == "new":
        return Content.styled(say("notice.new", "Nothing was trained yet. r begins."), QUIET)
    if state in ENDED:
        return _ended(run, history, state, demo)
    if demo is not None:
        return Content(demo.says(state, history.step))
    if trains_here and "SSH_CONNECTION" in environment and not environment.keys() & {"TMUX", "STY"}:
        back = command_line(f"attach {run.name}", run.home)
        return Content.styled(say("notice.remote", "If this connection drops, training goes on. Come back with: "
                                  "{command}", command=back), QUIET)  # fmt: skip
    return Content("")


def _silent(history: History) -> Content:
    assert history.owner is not None and history.silence is not None
    said = say(
        "notice.silent",
        "No sign of life for {time} from process {pid} on {host}, which trains this run. It may have been halted "
        "(kill -CONT {pid} wakes it) or wait for a slow disk. If it stays so, end it with kill {pid}, then train on "
        "with r.",
        time=duration_in_words(history.silence), pid=history.owner.pid, host=safe(history.owner.host),
    )  # fmt: skip
    return Content.styled(said, "$warning")


def _ended(run: Run, history: History, state: str, demo: Demo | None) -> Content:
    ending = history.ending
    command = command_line(f"train {run.name} --resume", run.home)
    resume = say("notice.restart", "No state was saved: r starts again at step 0 ({command}).", command=command)
    if history.checkpoints:
        resume = say("notice.resume", "r trains on from step {step:,} ({command}).", command=command,
                     step=history.checkpoints[-1].step)  # fmt: skip
    if isinstance(ending, events.Failed):
        gap = say("message.gap", " ")
        told = Content.styled(f"{safe(ending.message)}{gap}", "$error") + Content(safe(ending.advice))
        details = say("notice.failed", "{resume} Details: train.log. ({code})", code=safe(ending.code), resume=resume)
        try_it = say("notice.mend", "F2 lists what may help, each on a key.")
        return told + "\n" + Content.styled(try_it, "bold $accent") + gap + Content.styled(details, QUIET)
    if state == "lost":
        lost = say("notice.lost", "The process that trained this run ended without a word: killed, out of memory, or "
                   "the machine went down. ")  # fmt: skip
        return Content.styled(lost, "$error") + Content(resume)
    if isinstance(ending, events.Stopped):
        said = [resume]
        kept = history.checkpoints[-1].step if history.checkpoints else 0
        if not ending.saved and (ending.step or 0) > kept:
            said.insert(0, say("notice.discarded", "Stopped at step {step:,}; what was trained since the last saved "
                               "state was not kept.", step=ending.step))  # fmt: skip
            if not history.checkpoints:
                said = [say("notice.all-discarded", "Stopped at step {step:,} and not saved: r begins again at step 0 "
                            "({command}).", step=ending.step, command=command)]  # fmt: skip
        if history.checkpoints:
            said.append(say("notice.export-saved", "e exports the model as it is saved."))
        return Content.styled(say("message.gap", " ").join(said), QUIET)
    if demo is not None:
        more = say("notice.demo", "Draw more of it:\n{command}\nh opens your runs; n there begins with a subject of "
                   "your own.", command=draw_more(run.name, run.home))  # fmt: skip
        return Content(demo.says("done", history.step)) + "\n" + Content.styled(more, QUIET)
    done = say("notice.done", "e exports the model.")
    if history.exported_last:
        exported = joined(shown_path(run.path / export.path) for export in history.exported_last[:2])
        done = say("notice.exported", "Exported: {files}. u tells how to use it, e exports it in another form.",
                   files=exported)  # fmt: skip
    longer = say("notice.longer", "l trains it longer.")
    return Content.styled(f"{done}{say('message.gap', ' ')}{longer}", QUIET)
