"""Starts training: in a thread of this process, or in a process of its own that outlives the terminal and the login."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core.events import Continued, Event, Paused, Step, Stopped
from core.machine import VISIBLE, choose_cards, chosen_cards, environment_at_start
from core.place import ALONE, Place
from core.reasons import of_system
from core.runs import leading
from core.runs.commands import send
from core.runs.folder import Run
from core.runs.journal import read_journal
from core.runs.lock import owner, taken
from core.runs.output import open_log
from core.runs.pump import TrainingHandle
from core.texts import UserError, say

__all__ = ["TrainingHandle", "hand_over", "launch_background", "launch_thread", "start_process"]

START_SECONDS = 20.0
LOG_LINES = 10


def launch_thread(
    run: Run, resume: bool, on_event: Callable[[Event], None] | None = None, place: Place = ALONE,
    cards: Sequence[str] = (),
) -> TrainingHandle:  # fmt: skip
    """Train `run` in a thread of this process, at its `place`; where cards are named, with these alone, a process on
    each. Raises `UserError` where that is refused.
    """
    if cards:
        place = Place(count=len(cards), local_count=len(cards))
    _refuse_to_lead_again(place)
    before = chosen_cards()
    _see_only(cards)
    try:
        return TrainingHandle(run, resume=resume, on_event=on_event, place=place)
    except BaseException:
        choose_cards(before)
        raise


def launch_background(run: Run, resume: bool, processes: int = 1, cards: Sequence[str] = ()) -> int:
    """Train `run` in a process and session of its own, which starts the others of so many; returns its pid once it
    holds the run's lock. With `cards` these alone are seen, by the names that CUDA_VISIBLE_DEVICES has for them,
    and each has its process.

    Raises `UserError` if the run is in other hands, or the process ends or does not start in time: with the last
    lines that it said.
    """
    processes = len(cards) or processes
    holder = owner(run.lock_path)
    if holder is not None:
        raise taken(run.lock_path, holder)
    return start_process(
        [*seeing(cards), *command_line(run, resume), *(["--processes", str(processes)] if processes > 1 else [])],
        run.lock_path,
        run.log_path,
        lambda how, words: _not_started(run, how, words),
    )


def hand_over(handle: TrainingHandle) -> int | None:
    """Start the run of `handle` in the background where it was stopped for that, and whoever was to do so has gone;
    returns the pid. What was paused waits there, too. Raises `UserError`.
    """
    run, event = handle.run, handle.ending.event if handle.ending is not None else None
    if not (isinstance(event, Stopped) and event.reason == "background") or owner(run.lock_path) is not None:
        return None
    lived = (
        event for event in reversed(read_journal(run.journal_path)) if isinstance(event, Paused | Continued | Step)
    )
    was_paused = isinstance(next(lived, None), Paused)
    pid = launch_background(run, resume=True, cards=chosen_cards())
    if was_paused:
        send(run, "pause")
    return pid


def start_process(
    command: Sequence[str], lock: Path, log_path: Path, not_started: Callable[[str, str], UserError]
) -> int:
    """Start `command` in a session of its own, writing into `log_path`; its pid once it holds `lock`.

    Raises what `not_started` makes of how it failed and of its last words.
    """
    log = open_log(log_path)
    try:
        said_before = os.fstat(log).st_size
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True,
            env=environment_at_start(),
        )  # fmt: skip
    finally:
        os.close(log)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None:
        holder = owner(lock)
        if holder is not None and holder.pid == process.pid:
            threading.Thread(target=process.wait, name="reaper", daemon=True).start()  # no zombie while we live
            return process.pid
        if time.monotonic() >= deadline:
            process.kill()
            process.wait()
            slow = say("launch.slow", "had not started after {seconds:.0f} s", seconds=START_SECONDS)
            raise not_started(slow, last_words(log_path, said_before))
        time.sleep(0.1)
    if process.returncode == 0:
        return process.pid  # there was nothing left to do
    ended = say("launch.ended", "ended with code {code}", code=process.returncode)
    raise not_started(ended, last_words(log_path, said_before))


def seeing(cards: Sequence[str]) -> list[str]:
    """What stands before a command that shall see these cards alone; `env` becomes the command."""
    return ["env", f"{VISIBLE}={','.join(cards)}"] if cards else []


def _see_only(cards: Sequence[str]) -> None:
    """Let this process see these cards alone, or all that it was started with, which works until CUDA has begun in it:
    from then on a run for which none are named takes those that it has.
    """
    wanted = ",".join(cards)
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        choose_cards(cards)
    elif cards and os.environ.get(VISIBLE) != wanted:
        raise UserError(
            "launch.cards", "This program computes with other cards already, and that cannot change while it runs.",
            mend="Start the run in the background, or choose the same cards.",
        )  # fmt: skip


def _refuse_to_lead_again(place: Place) -> None:
    """Where a run of several processes has ended badly, this process may belong to their group still: on cards nothing
    but its own end frees it (`Ranks.close`).
    """
    distributed = sys.modules.get("torch.distributed")
    if place.count > 1 and distributed is not None and distributed.is_available() and distributed.is_initialized():
        raise UserError(
            "launch.processes", "This program has led processes that failed, and cannot lead others after that.",
            mend="Start the run in the background, or start the program anew.",
        )  # fmt: skip


def command_line(run: Run, resume: bool) -> list[str]:
    """The program that trains it in a process of its own."""
    return [*leading.command_line(run), *(["--resume"] if resume else [])]


def _not_started(run: Run, how: str, words: str) -> UserError:
    return UserError(
        "launch.failed",
        "The background process for {name} {how}. Its last words:\n{words}",
        mend="All of them stand in {log}.",
        name=run.name,
        how=how,
        words=words,
        log=run.log_path,
    )


def last_words(path: Path, since: int, lines: int = LOG_LINES) -> str:
    """The last lines that were written to the log at `path` after its first `since` bytes."""
    try:
        with path.open("rb") as file:
            file.seek(since)
            found = file.read(1 << 20).decode("utf-8", "replace").splitlines()
    except OSError as error:
        return say("launch.unreadable", "({reason})", reason=of_system(error))
    return "\n".join(found[-lines:]) or say("launch.wordless", "(it said nothing)")
