"""`dbtui runs`, `delete` and `attach`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from core.runs import lending, queue
from core.runs.folder import Run, list_runs, runs_directory
from core.runs.journal import Summary, summary
from core.runs.lock import owner
from core.texts import Texts, UserError, counted, joined, say, size_in_words
from dbtui import __version__
from dbtui.boundary import DONE, STOPPED, complain, needs_terminal
from dbtui.printing import console, print_json, print_lines, table
from dbtui.safe import safe_message
from dbtui.states import STATES

ALWAYS = 3
"""The name, the state and the step stand there however narrow the terminal is."""
COLUMNS = Texts("runs", {
    "name": "Name", "state": "State", "step": "Step", "total": "Total", "loss": "Loss", "speed": "Images/s",
    "process": "Process", "folder": "Folder",
})  # fmt: skip


def show_runs(home: Path, *, as_json: bool) -> int:
    """Every run, the newest first."""
    summaries = []
    for run in list_runs(home):
        try:
            summaries.append(summary(run))
        except UserError as error:  # one strange run must not hide the others
            complain(safe_message(error.message))
    summaries.sort(key=lambda found: found.updated or 0, reverse=True)
    if as_json:
        print_json([asdict(found) for found in summaries])
    elif summaries:
        if not _print_table(summaries):
            print_lines(say("runs.where", "They lie in {folder}", folder=runs_directory(home)))
    else:
        print_lines(say("runs.none", "There are no runs in {home} yet. `dbtui` opens the app, `dbtui new --help` shows "
                        "the way without it.", home=home))  # fmt: skip
    return DONE


def _print_table(summaries: Sequence[Summary]) -> bool:
    """One line for each run, in a terminal without the last columns that it is too narrow for; whether the folder of
    each stands in its line.
    """
    screen = console()
    names = tuple(COLUMNS.values())
    rows = [_row(found) for found in summaries]
    count = len(names)
    while True:
        drawn = table(names[:count], [row[:count] for row in rows], right=names[2:6])
        needed = screen.measure(drawn, options=screen.options.update(max_width=sys.maxsize)).maximum
        if needed <= screen.width or count == ALWAYS or not sys.stdout.isatty():
            break
        count -= 1
    screen.width = max(screen.width, needed)
    screen.print(drawn)
    return count == len(names)


def _row(found: Summary) -> tuple[object, ...]:
    return (
        found.name,
        STATES[found.state][1] if found.state in STATES else found.state,
        f"{found.kept_step:,}",
        f"{found.total:,}" if found.total else "",
        "" if found.loss is None else f"{found.loss:.4f}",
        "" if found.speed is None else f"{found.speed:.2f}",
        found.pid or "",
        found.folder,
    )


def delete_run(home: Path, name: str, *, sure: bool) -> int:
    """Say what is lost, ask, delete. A run in training is refused."""
    run = Run.open(home, name)
    holder = owner(run.lock_path)
    if holder is not None:
        raise UserError("delete.in-use", "{name} is in training by process {pid} on {host}.",
                        mend="Stop it first: `dbtui stop {name}`.", name=name, pid=holder.pid,
                        host=holder.host)  # fmt: skip
    lent = lending.after_deleting(run)
    print_lines(_what_is_lost(run))
    if lent:
        print_lines(lent)
    if not sure and not _agrees(name):
        print_lines(say("delete.kept", "Nothing was deleted."))
        return STOPPED
    queue.delete_run(run, __version__)
    print_lines(say("delete.done", "{name} is deleted.", name=name))
    return DONE


def _what_is_lost(run: Run) -> str:
    states = sum(1 for _ in run.checkpoints.glob("step-*")) if run.checkpoints.is_dir() else 0
    exports = (
        [str(path.relative_to(run.path)) for path in sorted(run.exports.iterdir())] if run.exports.is_dir() else []
    )
    size = sum(path.stat(follow_symlinks=False).st_size for path in run.path.rglob("*") if path.is_file())
    kept = counted(states, "saved state") if states else say("delete.no-state", "no saved state")
    words = say("delete.takes", "{name} has {states} and takes {size} in {folder}.", name=run.name, states=kept,
                size=size_in_words(size), folder=run.path)  # fmt: skip
    if exports:
        words += say("delete.exports", " Its exports are lost too: {exports}", exports=joined(exports))
    return words


def _agrees(name: str) -> bool:
    try:
        asks = sys.stdin.isatty()
        return input(say("delete.sure", "Delete it for good? [y/N] ") if asks else "").strip().lower() in ("y", "yes")
    except EOFError:
        raise UserError("delete.unasked", "There is nobody to ask whether {name} is to be deleted.",
                        mend="Say so with --yes.", name=name) from None  # fmt: skip


def attach_to(name: str | None, home: Path) -> int:
    """Open the monitor on `name`, otherwise on the run in training, otherwise on the one trained last."""
    run = Run.open(home, name) if name is not None else _likely(home)
    needs_terminal()
    from dbtui.app import run_app

    return run_app(home, attach=run.name)


def _likely(home: Path) -> Run:
    runs = list_runs(home)
    if not runs:
        raise UserError("attach.none", "There are no runs in {home}.", mend="`dbtui` opens the app and makes one.",
                        home=home)  # fmt: skip
    in_training = [run for run in runs if owner(run.lock_path) is not None]
    return max(in_training or runs, key=lambda run: summary(run).updated or 0)
