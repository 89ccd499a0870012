"""The first of several processes that train a run: it starts the others, unless a launcher did, and ends them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.place import HOME, Place
from core.reasons import of_system
from core.runs.folder import Run
from core.runs.output import open_log
from core.texts import Message, UserError

if TYPE_CHECKING:
    from core.training.ranks import Ranks

END_SECONDS = 20.0
"""How long the others may take to end after the first."""


class Others:
    """The processes that train along on this computer; each in a session of its own, so that the terminal's signals
    reach the first alone.
    """

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, place: Place, run: Run) -> None:
        """All of `place` but the first. What they say goes into the run's log. Raises `UserError` where one cannot be
        started; those before it live then.
        """
        log = open_log(run.log_path)
        try:
            for rank in range(1, place.count):
                environment = os.environ | replace(place, rank=rank, local_rank=rank).variables()
                process = subprocess.Popen(
                    command_line(run), env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True,
                )  # fmt: skip
                self._processes.append(process)
        except OSError as error:
            raise UserError(
                "processes.no-process", "Process {rank} of {count} cannot be started: {reason}.",
                mend="Close programs that are not needed, or train with fewer processes.", rank=rank,
                count=place.count, reason=of_system(error),
            ) from error  # fmt: skip
        finally:
            os.close(log)

    def refuse_dead(self, log: Path) -> None:
        """Raises `UserError` where one has ended before it trained; what it said stands in `log`."""
        for rank, process in enumerate(self._processes, 1):
            if process.poll() is not None:
                raise UserError(
                    "processes.not-started", "Process {rank} of {count} ended before it could train, with code {code}.",
                    mend="The end of {log} tells why.", rank=rank, count=len(self._processes) + 1,
                    code=process.returncode, log=log,
                )  # fmt: skip

    def kill(self) -> None:
        """Now, whatever they do."""
        for process in self._processes:
            process.kill()

    def end(self) -> None:
        """Wait for them; who is still there after `END_SECONDS` has lost its way."""
        for process in self._processes:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def leading(
    run: Run,
    place: Place,
    others: Others,
    *,
    resume: bool,
    on_stop: Callable[[str], None],
    give_up: Callable[[UserError], None],
    explained: Callable[[Exception], Message],
) -> Iterator[Ranks]:
    """All processes of `place` together, each told which run it is; a failure is told to them, and they end with this.

    Where no launcher has started them, they become `others`. Raises `UserError` where they do not come together.
    """
    listener = None
    try:
        if not place.launched:
            listener = socket.create_server((HOME, 0))
            place = replace(place, port=listener.getsockname()[1])
            others.start(place, run)
        from core.training.meeting import join

        ranks = join(
            place,
            listener=listener.detach() if listener is not None else None,
            meanwhile=lambda: others.refuse_dead(run.log_path),
            on_stop=on_stop,
            give_up=give_up,
        )
    except BaseException:
        others.kill()
        others.end()
        if listener is not None:
            listener.close()
        raise
    failure: Message | None = None
    try:
        ranks.train(run.name, run.log_path)
        ranks.tell("run", home=str(run.home.absolute()), name=run.name, resume=resume)
        yield ranks
    except Exception as error:
        failure = explained(error)
        raise
    finally:
        ranks.close(failure)
        others.end()


def command_line(run: Run) -> list[str]:
    """`-P` keeps a folder named core in the current directory from standing in for ours."""
    return [sys.executable, "-P", "-m", "dbtui", "train", run.name, "--home", str(run.home)]
