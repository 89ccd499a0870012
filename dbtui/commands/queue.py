"""`dbtui queue`: runs that wait their turn, and the process that trains them one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from core.runs.history import summary
from core.runs.longer import take_out
from core.runs.queue import LOG, Queue, Waiting, add, ask_to_end, queue_directory, read_queue, start
from core.runs.takes import takes
from core.runs.worker import Worker
from core.texts import Message, Texts, UserError, duration_in_words, say
from dbtui import __version__
from dbtui.boundary import DONE, REFUSED, complain
from dbtui.commandline import command_line
from dbtui.commands.processes import place_of
from dbtui.commands.train import made_ready, warn_of_logout
from dbtui.printing import console, print_json, print_lines, table
from dbtui.safe import safe, safe_message
from dbtui.terminal.signals import handled

COLUMNS = Texts("queue.column", {"place": "Place", "name": "Run", "state": "State", "length": "Takes about"})


def add_targets(home: Path, targets: Sequence[str], *, assignments: Sequence[str], processes: int | None) -> int:
    """Each target that can be trained waits from now on; 2 if one cannot."""
    code, added = DONE, False
    for target in targets:
        try:
            run = made_ready(target, home, resume=True, assignments=assignments, place=place_of(processes),
                             may_be_new=True)  # fmt: skip
            if run is None:
                complain(say("queue.refused", "{target} was not added: mend what stands above.", target=safe(target)))
                code = REFUSED
                continue
            add(home, run, processes=processes or 1, seconds=takes(run, summary(run), lengthened=bool(assignments)))
        except UserError as error:
            complain(safe_message(error.message))
            code = REFUSED
            continue
        added = True
        print_lines(say("queue.added", "{name} waits: number {place} in the queue.", name=run.name,
                        place=read_queue(home).place(run.name)))  # fmt: skip
    queue = read_queue(home)
    if added and queue.worker is None:
        print_lines(say("queue.start-it", "`{command}` trains what waits, one after the other.",
                        command=command_line("queue start --background", home)))  # fmt: skip
    return code


def show_queue(home: Path, *, as_json: bool) -> int:
    """What waits, the one that trains now first."""
    queue = read_queue(home)
    if as_json:
        current = queue.current
        print_json({"worker": queue.worker.pid if queue.worker else 0, "ends": queue.ends,
                    "current": current.name if current else "",
                    "entries": [asdict(entry) for entry in queue.entries]})  # fmt: skip
        return DONE
    if not queue.entries:
        print_lines(say("queue.none", "Nothing waits. `{command}` puts a run there.",
                        command=command_line("queue add RUN.toml", home)))  # fmt: skip
        _name_log(home)
        return DONE
    columns = tuple(COLUMNS.values())
    console().print(table(columns, [_row(queue, entry) for entry in queue.entries], right=columns[:1]))
    print_lines(_who_works(queue, home))
    _name_log(home)
    return DONE


def _name_log(home: Path) -> None:
    """Where it stands what became of each run, if one has had its turn in the background."""
    log = queue_directory(home) / LOG
    if log.exists():
        print_lines(say("queue.log", "What became of each run stands in {log}", log=log))


def _row(queue: Queue, entry: Waiting) -> tuple[object, ...]:
    its_turn = entry is queue.current
    state = say("queue.trains", "trains now") if its_turn else say("state.waiting", "waits")
    takes = duration_in_words(entry.seconds) if entry.seconds is not None else ""
    return "" if its_turn else queue.place(entry.name), safe(entry.name), state, takes


def _who_works(queue: Queue, home: Path) -> str:
    if queue.worker is None:
        return say("queue.nobody-works", "Nobody trains them. `{command}` begins.",
                   command=command_line("queue start --background", home))  # fmt: skip
    if queue.ends:
        return say("queue.ends", "Process {pid} ends after the run that trains now.", pid=queue.worker.pid)
    return say("queue.works", "Process {pid} trains them one after the other. `{command}` ends it.",
               pid=queue.worker.pid, command=command_line("queue stop", home))  # fmt: skip


def remove_runs(home: Path, names: Sequence[str]) -> int:
    """2 if one of them does not wait."""
    code = DONE
    for name in names:
        try:
            take_out(home, name, __version__)
        except UserError as error:
            complain(safe_message(error.message))
            code = REFUSED
        else:
            print_lines(say("queue.removed", "{name} waits no more. The run is still there.", name=safe(name)))
    return code


def start_queue(home: Path, *, background: bool) -> int:
    """Work the queue off here, or in a process of its own. Raises `UserError` where it cannot begin."""
    if background:
        process = start(home)
        print_lines(say("queue.background", "Process {process} trains what waits. `{show}` shows it, `{stop}` ends it.",
                        process=process, show=command_line("queue list", home),
                        stop=command_line("queue stop", home)))  # fmt: skip
        warn_of_logout()
        return DONE
    worker = Worker(home, _tell)
    with handled(hang_up=lambda: None, terminate=worker.stop, interrupt=worker.stop):
        return worker.work()


def _tell(said: Message) -> None:
    complain(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {safe_message(said)}")


def stop_queue(home: Path, *, now: bool) -> int:
    """Raises `UserError` where nobody works."""
    ask_to_end(home, now=now)
    queue = read_queue(home)
    if queue.current is None:
        print_lines(say("queue.ends-now", "The queue ends. What waits stays there."))
    elif now:
        print_lines(say("queue.interrupts", "{name} saves and waits again; the queue ends.", name=queue.current.name))
    else:
        print_lines(say("queue.ends-after", "The queue ends after {name}. What waits stays there.",
                        name=queue.current.name))  # fmt: skip
    return DONE
