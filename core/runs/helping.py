"""Each but the first of several processes that train a run: it trains along and writes nothing."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from core.config.options import RunConfig
from core.events import Event, Phase
from core.place import Place
from core.runs.folder import Run
from core.runs.output import captured_logging, captured_output, quiet_libraries
from core.runs.pump import EXIT_FAILED, exit_code_of, explained
from core.texts import Message, UserError, message

if TYPE_CHECKING:
    from core.training.ranks import Ranks


class HelpingHandle:
    """A rank that trains in a thread of this process until the run ends, however it does.

    Afterwards `exit_code` is that of the ending, and `failure` says why it was none.
    """

    def __init__(self, place: Place) -> None:
        self.failure: Message | None = None
        self.exit_code = EXIT_FAILED
        self._place = place
        self._ranks: Ranks | None = None
        self._thread = threading.Thread(target=self._work, name=f"rank {place.rank}", daemon=False)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for the end, for at most so many seconds; signal handlers run meanwhile."""
        self._thread.join(timeout)

    def ask_to_stop(self, reason: str) -> bool:
        """Pass on to the first that all shall save and end; false where it is not found yet."""
        if self._ranks is None:
            return False
        self._ranks.tell("stop", reason=reason)
        return True

    def _work(self) -> None:
        from core.training.meeting import join

        try:
            ranks = self._ranks = join(self._place, give_up=_give_up)
        except Exception as error:
            self.failure = self._told(error)
            return
        try:
            word = ranks.hear()
            run = _seen(Path(word["home"]), word["name"])
            ranks.train(run.name, run.log_path)
            config = run.config()
        except Exception as error:
            self.failure = self._told(error)
            ranks.close(None if ranks.lost else self.failure)
            return
        with captured_output(run.log_path), captured_logging(run.log_path) as log:
            try:
                last = _train(run, config, word["resume"], ranks)
            except Exception as error:
                log.error("process %d failed", ranks.rank, exc_info=error)
                self.failure = explained(error, run, config)
                ranks.close(None if ranks.lost else self.failure)
            else:
                ranks.close()
                self.exit_code = exit_code_of(last)

    def _told(self, error: Exception) -> Message:
        """Why it ended before it knew its run."""
        if isinstance(error, UserError):
            return error.message
        traceback.print_exception(error)
        return message(
            "processes.mistake", "Process {rank} of {count} ended because of a mistake in the program: {reason}.",
            mend="Please report it with the lines above.", rank=self._place.rank, count=self._place.count,
            reason=f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(". :"),
        )  # fmt: skip


def _train(run: Run, config: RunConfig, resume: bool, ranks: Ranks) -> Event | None:
    """Returns the last event of the run."""
    from core.training.trainer import Trainer

    last: Event | None = None
    for event in Trainer(config, run.path, resume=resume, poll=tuple, ranks=ranks).run():
        if isinstance(event, Phase):
            quiet_libraries()  # a phase may have imported one
        last = event
    return last


def _seen(home: Path, name: str) -> Run:
    try:
        return Run.open(home, name)
    except UserError as error:
        raise UserError(
            "processes.no-run", "This process does not see the run {name} in {home}.",
            mend="On several computers the folder of runs has to be on a disk that they share: --home names it.",
            name=name, home=home,
        ) from error  # fmt: skip


def _give_up(error: UserError) -> None:
    print(error.message, file=sys.stderr, flush=True)
    os._exit(EXIT_FAILED)
